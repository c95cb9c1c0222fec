"""What a page shows of an audit, prepared so that the templates have nothing to decide or to compute."""

from __future__ import annotations

import base64
import inspect
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dirconv import artifacts
from dirconv.claims import calibration
from dirconv.errors import UserError
from dirconv.options import modules, plugin
from dirconv.report import _words

Link = Callable[[Path], str]  # how a page refers to a picture
CLAIMED = {"direction_converges": "the direction converges", "alignment": "the gradient aligns"}
SETS = {
    "held_out": "other families, on which the rules are reported",
    "mixed": "a mix that is neither hard nor easy",
    "ridges": "ridges and chatter, seen on real flows since",
    "tuning": "families that they were tuned on",
}
AGREEMENT = {None: "open question", True: "yes", False: "no"}


def page(audit: dict[str, Any], link: Link) -> dict[str, Any]:
    """The variables of both templates."""
    claims = audit["claims"]
    failures = [claim for claim in claims if claim["must_be"] and claim["verdict"] not in claim["must_be"]]
    pictures = _pictures(claims, link)
    return {
        **{key: audit[key] for key in ("study", "title", "version", "registry", "configuration", "command")},
        "see_also": [_other(other, audit["results"]) for other in audit.get("see_also", [])],
        "created": _words.date(audit["created"]),
        "check": f"uv run dirconv audit --check {audit['results']}/audit.json",
        "machine": _machine(audit["machine"]),
        "versions": ", ".join(f"{name} {version}" for name, version in audit["versions"].items()),
        "data": _data(audit["data"]),
        "counts": _counts(claims),
        "failures": [{**_heading(claim), "must_be": _words.alternatives(claim["must_be"])} for claim in failures],
        "bound": _words.count(sum(bool(claim["must_be"]) for claim in claims), "claim"),
        "stale": _stale(audit),
        "claims": [_claim(claim, pictures) for claim in claims],
        "calibration": _calibration(audit["calibration"]),
        "runs": [_run(name, run) for name, run in audit["runs"].items()],
        "problems": [_problem(name, problem) for name, problem in audit["problems"].items()],
    }


def _other(other: dict[str, str], results: str) -> dict[str, str]:
    """Another study's page: its title, the command that makes it, and where it is from this page, without suffix."""
    page = Path(os.path.relpath(other["results"], results), "audit").as_posix()
    return {"title": other["title"], "command": other["command"], "page": page}


def embedded(path: Path) -> str:
    """A PNG as a data URI."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); draw the figures first") from error
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _machine(machine: dict[str, Any]) -> str:
    cores = _words.count(machine["cores"], "core")
    return f"{machine['processor']}, {cores}, {machine['system']}, Python {machine['python']}, on {machine['device']}"


def _data(records: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Each data set's classes, and how many images of each there are for training and for testing.

    The same record under several names is one data set.
    """
    names: dict[str, list[str]] = {}
    distinct = {}
    for name, record in records.items():
        key = artifacts.digest(record)
        names.setdefault(key, []).append(name)
        distinct[key] = record
    return [
        {
            "name": ", ".join(names[key]),
            "variant": record["variant"],
            "classes": record["classes"],
            "parts": [
                {"name": part, "total": _words.number(sum(of.values())), "counts": _words.listed(of, ": ")}
                for part, of in record["counts"].items()
            ],
            "sha256": record["source_sha256"],
        }
        for key, record in distinct.items()
    ]


def _counts(claims: list[dict[str, Any]]) -> str:
    """How many claims came out how, in one sentence."""
    verdicts = Counter(claim["verdict"] for claim in claims)
    agreement = Counter(AGREEMENT[claim["agrees"]] for claim in claims)
    undecided = sum(claim["agrees"] is False and claim["verdict"] == "inconclusive" for claim in claims)
    came_out = ", ".join(f"{verdicts[word]} {word}" for word in ("supported", "contradicted", "inconclusive"))
    other = f"{agreement['no']} other than expected"
    if undecided:
        other += f" ({undecided} of them because the runs decide nothing)"
    return (
        f"{_words.count(len(claims), 'claim')}: {came_out}. "
        f"{agreement['yes']} as expected, {other}, {_words.count(agreement['open question'], 'open question')}."
    )


def _stale(audit: dict[str, Any]) -> list[str]:
    runs = [name for part in ("runs", "problems") for name, run in audit[part].items() if run["stale"]]
    return sorted({*runs, *(member for claim in audit["claims"] for member in claim["stale"])})


def _heading(claim: dict[str, Any]) -> dict[str, Any]:
    return {**{key: claim[key] for key in ("id", "title", "verdict")}, "anchor": re.sub(r"[^\w-]", "-", claim["id"])}


def _claim(claim: dict[str, Any], pictures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    statistic = claim["statistic"]
    picture = pictures[claim["figure"]]
    return {
        **_heading(claim),
        **{
            key: claim[key]
            for key in ("statement", "source", "expected", "reason", "judged", "target", "stale", "evidence")
        },
        "assumptions": claim["assumptions"],
        "must_be": _words.alternatives(claim["must_be"]) if claim["must_be"] else "",
        "fails": bool(claim["must_be"]) and claim["verdict"] not in claim["must_be"],
        "agrees": AGREEMENT[claim["agrees"]],
        "undecided": claim["agrees"] is False and claim["verdict"] == "inconclusive",
        "statistic": {
            "name": statistic["name"],
            **_estimate(statistic),
            "threshold": _words.number(statistic["threshold"]),
        },
        "thresholds": {name: _words.number(value) for name, value in claim["thresholds"].items()},
        "seeds": [
            {"member": name, "verdict": outcome["verdict"], "reason": outcome["reason"], **_estimate(outcome)}
            for name, outcome in claim["seeds"].items()
        ],
        "tally": _tally(claim["seeds"]),
        "picture": picture if picture["first"]["id"] == claim["id"] else None,
        "shown_by": picture["first"],
    }


def _tally(seeds: dict[str, dict[str, Any]]) -> str:
    verdicts = Counter(outcome["verdict"] for outcome in seeds.values())
    return f"{len(seeds)} runs: " + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())


def _calibration(scores: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, str]]]:
    """The totals of every set, and each family of those that were kept from the tuning."""
    totals = [_score(row, words) for which, words in SETS.items() for row in scores.get(which, []) if _whole(row)]
    kept = [row for which in ("held_out", "ridges") for row in scores.get(which, []) if not _whole(row)]
    families = [_score(row, row["family"]) for row in kept]
    return {"totals": totals, "families": families}


def _whole(row: dict[str, Any]) -> bool:
    return row["family"] == "all"


def _score(row: dict[str, Any], of: str) -> dict[str, str]:
    shares = {key: f"{row[key]} ({100 * row[key] / row['cases']:.1f} %)" for key in calibration.OUTCOMES}
    return {"claim": CLAIMED[row["claim"]], "of": of, "cases": _words.number(row["cases"]), **shares}


def _estimate(outcome: dict[str, Any]) -> dict[str, str]:
    value, low, high = (outcome[key] for key in ("value", "low", "high"))
    return {"value": _words.number(value), "interval": _words.interval(value, low, high)}


def _pictures(claims: list[dict[str, Any]], link: Link) -> dict[str, dict[str, Any]]:
    """Every picture once, by its path, with the first claim that it shows: the others refer to that one."""
    pictures = {}
    for claim in claims:
        path = claim["figure"]
        if path not in pictures:
            caption, explanation = _caption(Path(path).stem)
            pictures[path] = {
                "link": link(Path(path)),
                "name": Path(path).stem,
                "caption": caption,
                "explanation": explanation,
                "first": _heading(claim),
            }
    return pictures


def _caption(figure: str) -> tuple[str, str]:
    """What the figure's module says of it: its first paragraph, and the rest."""
    if figure not in modules("figures"):
        return figure.replace("_", " "), ""
    first, _, rest = inspect.getdoc(plugin("figures", figure, "figure")).partition("\n\n")
    return " ".join(first.split()), " ".join(rest.replace("`", "").split())


def _run(name: str, run: dict[str, Any]) -> dict[str, Any]:
    summary = run["summary"]
    return {
        "name": name,
        "model": _words.options(run["model"], "name"),
        "degree": _words.number(run["degree"]),
        "loss": run["loss"],
        "method": _words.options(run["method"], "method"),
        "stop": run["stop"].replace("_", " "),
        "log10_risk": "" if summary["log10_risk"] is None else _words.number(summary["log10_risk"]),
        **{key: _words.number(summary[key]) for key in ("steps", "evaluations", "tau", "zeta", "cos")},
        "machine": _machine(run["machine"]),
        "created": _words.date(run["created"]),
        "stale": run["stale"],
    }


def _problem(name: str, row: dict[str, Any]) -> dict[str, Any]:
    median = row["median"]
    stops = Counter(row["stops"])
    return {
        "name": name,
        "problem": _words.options(row["problem"], "name"),
        "data": row["data"],
        "degree": _words.number(row["degree"]),
        "seeds": f"{len(row['seeds'])} ({', '.join(str(seed) for seed in row['seeds'])})",
        "stop": ", ".join(f"{stop.replace('_', ' ')} {count}" for stop, count in stops.items()),
        "log10_risk": "" if median["log10_risk"] is None else _words.number(median["log10_risk"]),
        **{key: _words.number(median[key]) for key in ("tau", "zeta", "cos")},
        "machine": _machine(row["machine"]),
        "created": _words.date(row["created"]),
        "stale": row["stale"],
    }
