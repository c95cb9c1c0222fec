"""What a page shows of an audit, prepared so that the templates only lay out and write numbers in words."""

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
from dirconv.claims.registry import PARTS
from dirconv.errors import UserError
from dirconv.options import modules, plugin
from dirconv.report import _finding, _words
from dirconv.report._strip import strip

Link = Callable[[Path], str]  # how a page refers to a picture
VERDICTS = ("supported", "contradicted", "inconclusive")
CALIBRATED = {"direction_converges": "the direction converges", "alignment": "the gradient aligns"}
SETS = {  # of calibration cases, in the order in which they are shown
    "held_out": "other families, on which the rules are reported",
    "mixed": "a mix of runs to τ = 20 and more",
    "tuning": "families that the rules were tuned on",
}
KEPT = ("held_out",)  # sets that the rules were not tuned on; shown by family too
AGREEMENT = {None: "open question", True: "yes", False: "no"}


def page(audit: dict[str, Any], link: Link) -> dict[str, Any]:
    """The variables of both templates."""
    parts = _parts([_entry(entry) for entry in audit["claims"]])
    shown = [entry for claims in parts.values() for claim in claims for entry in (claim, *claim["checks"])]
    pictures = _pictures(shown, link, audit["results"])
    runs = {name: _run(run) for name, run in audit["runs"].items()}
    problems = {name: _problem(problem) for name, problem in audit["problems"].items()}
    return {
        **{key: audit[key] for key in ("study", "title", "created", "version", "registry", "configuration", "command")},
        "see_also": [_other(other, audit["results"]) for other in audit.get("see_also", [])],
        "check": f"uv run dirconv audit --check {audit['results']}/audit.json",
        "machine": _machine(audit["machine"]),
        "versions": ", ".join(f"{name} {version}" for name, version in audit["versions"].items()),
        "data": _data(audit["data"]),
        "counts": _counts(shown),
        "kinds": _kinds(shown),
        "failures": [entry for entry in shown if entry["fails"]],
        "required": _required(sum(bool(entry["must_be"]) for entry in shown)),
        "stale": _stale(audit),
        "parts": [
            {
                "id": f"part-{part}",
                "name": part,
                "title": PARTS[part],
                "claims": [_claim(claim, pictures) for claim in claims],
            }
            for part, claims in parts.items()
        ],
        "calibration": _calibration(audit["calibration"]),
        "runs": runs,
        "problems": problems,
        "made": runs | problems,
    }


def _parts(entries: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The claims of each part that has any, each with its `checks`.

    A check whose claim the study does not judge stands in that claim's place.
    """
    judged = {entry["id"] for entry in entries}
    claims = [entry for entry in entries if entry["checks_claim"] not in judged]
    checks = {name: [entry for entry in entries if entry["checks_claim"] == name] for name in judged}
    parts = {
        part: [{**claim, "checks": checks[claim["id"]]} for claim in claims if claim["part"] == part] for part in PARTS
    }
    return {part: claims for part, claims in parts.items() if claims}


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    """A claim or a check, with its anchor, and whether its verdict is none of those that must come out."""
    fails = bool(entry["must_be"]) and entry["verdict"] not in entry["must_be"]
    undecided = entry["agrees"] is False and entry["verdict"] == "inconclusive"
    statistic = {**entry["statistic"], **entry["against"]}
    return {
        **entry,
        "statistic": statistic,
        "anchor": re.sub(r"[^\w-]", "-", entry["id"]),
        "fails": fails,
        "undecided": undecided,
    }


def _required(count: int) -> str:
    """One sentence for a page on which none of `count` required verdicts fails."""
    few = {0: "No verdict is required.", 1: "The one required verdict holds."}
    return few.get(count, f"All {count} required verdicts hold.")


def _other(other: dict[str, str], results: str) -> dict[str, str]:
    """Another study: its title, the command that makes it, and its page relative to this one, without suffix."""
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
    """Each data set's classes and its numbers of training and test images. Equal records are shown once."""
    digests = {name: artifacts.digest(record) for name, record in records.items()}
    distinct = {digests[name]: record for name, record in records.items()}
    return [
        {
            "name": ", ".join(name for name in records if digests[name] == key),
            "variant": record["variant"],
            "classes": record["classes"],
            "parts": [
                {"name": part, "total": sum(of.values()), "counts": _words.listed(of, ": ")}
                for part, of in record["counts"].items()
            ],
            "sha256": record["source_sha256"],
        }
        for key, record in distinct.items()
    ]


def _counts(entries: list[dict[str, Any]]) -> str:
    """How many claims came out how, in a few sentences. Checks are counted apart."""
    claims = [entry for entry in entries if entry["checks_claim"] is None]
    checks = [entry for entry in entries if entry["checks_claim"] is not None]
    agreement = Counter(AGREEMENT[claim["agrees"]] for claim in claims)
    undecided = sum(claim["undecided"] for claim in claims)
    other = f"{agreement['no']} other than expected"
    if undecided:
        other += f" ({undecided} of them because the runs decide nothing)"
    sentences = [
        f"{_words.count(len(claims), 'claim')}: {_verdicts(claims)}.",
        f"{agreement['yes']} as expected, {other}, {_words.count(agreement['open question'], 'open question')}.",
    ]
    controls = [claim for claim in claims if claim["part"] == "control" and claim["must_be"]]
    if controls:
        good = sum(claim["verdict"] == claim["expected"] for claim in controls)
        sentences.append(f"{good} of {_words.count(len(controls), 'control')} came out as expected.")
    if checks:
        sentences.append(f"{_words.count(len(checks), 'check')} of claims, not counted above: {_verdicts(checks)}.")
    return " ".join(sentences)


def _verdicts(entries: list[dict[str, Any]]) -> str:
    counts = Counter(entry["verdict"] for entry in entries)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)


def _stale(audit: dict[str, Any]) -> list[str]:
    runs = [name for part in ("runs", "problems") for name, run in audit[part].items() if run["stale"]]
    return sorted({*runs, *(member for claim in audit["claims"] for member in claim["stale"])})


def _claim(claim: dict[str, Any], pictures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A claim as the templates show it; its `checks` look the same, but have no checks."""
    picture = pictures[claim["figure"]]
    return {
        **claim,
        "kind": _finding.kind(claim),
        "badge": _finding.badge(claim),
        "finding": _finding.finding(claim),
        "needed": _finding.needed(claim["statistic"]),
        "strip": strip(claim["statistic"]),
        "agrees": AGREEMENT[claim["agrees"]],
        "tally": _tally(claim["seeds"]),
        "picture": picture if picture["first"] is claim else None,
        "shown_by": picture["first"],
        "shown_in": picture["name"],
        "checks": [_claim(check, pictures) for check in claim.get("checks", [])],
    }


def _tally(seeds: dict[str, dict[str, Any]]) -> str:
    verdicts = Counter(outcome["verdict"] for outcome in seeds.values())
    return f"{len(seeds)} runs: " + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())


def _calibration(scores: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, str]]]:
    """The totals of every set, and a row for each family of the sets that the rules were not tuned on."""
    rows = [(name, row, row["family"] == "all") for name in SETS for row in scores.get(name, [])]
    totals = [_score(row, SETS[name]) for name, row, total in rows if total]
    families = [_score(row, row["family"]) for name, row, total in rows if not total and name in KEPT]
    return {"totals": totals, "families": families}


def _score(row: dict[str, Any], cases: str) -> dict[str, str]:
    shares = {key: f"{row[key]} ({100 * row[key] / row['cases']:.1f} %)" for key in calibration.OUTCOMES}
    return {"claim": CALIBRATED[row["claim"]], "of": cases, "cases": row["cases"], **shares}


def _kinds(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The kinds of what came out that there are, and how often, checks included."""
    counts = Counter(_finding.kind(entry) for entry in entries)
    return [
        {"name": kind, "says": says, "count": counts[kind]} for kind, says in _finding.KINDS.items() if counts[kind]
    ]


def _pictures(claims: list[dict[str, Any]], link: Link, results: str) -> dict[str, dict[str, Any]]:
    """Every picture by its path, with the first claim or check that it shows; the others refer to that one."""
    first = {claim["figure"]: claim for claim in reversed(claims)}
    return {key: {"link": link(Path(key)), **_picture(key, claim, results)} for key, claim in first.items()}


def _picture(path: str, claim: dict[str, Any], results: str) -> dict[str, Any]:
    """Caption, script, data and command of a picture; its data also as a link from the page."""
    name, data = Path(path).stem, Path(path).with_suffix(".csv")
    return {
        "first": claim,
        **_caption(name),
        "script": f"src/dirconv/figures/{name}.py",
        "data": data.as_posix(),
        "data_link": Path(os.path.relpath(data, results)).as_posix().replace(" ", "%20"),
        "command": claim["redraw"],
    }


def _caption(figure: str) -> dict[str, str]:
    """Name and caption: the first paragraph of the docstring of the figure's module, and the rest."""
    if figure not in modules("figures"):
        return {"name": figure, "caption": figure.replace("_", " "), "explanation": ""}
    first, _, rest = inspect.getdoc(plugin("figures", figure, "figure")).partition("\n\n")
    return {"name": figure, "caption": " ".join(first.split()), "explanation": " ".join(rest.replace("`", "").split())}


def _run(run: dict[str, Any]) -> dict[str, Any]:
    return {
        **run,
        "model": _words.options(run["model"], "name"),
        "method": _words.options(run["method"], "method"),
        "stop": run["stop"].replace("_", " "),
        "machine": _machine(run["machine"]),
    }


def _problem(problem: dict[str, Any]) -> dict[str, Any]:
    stops = Counter(problem["stops"])
    return {
        **problem,
        "problem": _words.options(problem["problem"], "name"),
        "seeds": f"{len(problem['seeds'])} ({_words.runs(problem['seeds'])})",
        "stop": ", ".join(f"{stop.replace('_', ' ')} {count}" for stop, count in stops.items()),
        "machine": _machine(problem["machine"]),
    }
