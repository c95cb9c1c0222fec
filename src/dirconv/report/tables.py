"""Tables of claims in Markdown pages: what is claimed, what the audits of several studies measured, and the verdicts.

A block of a page stands between the lines `<!-- claims:NAME -->` and `<!-- /claims:NAME -->`. NAME is a part of the
registry: claim with target, measurement, verdict and figure of each of its claims; or `measured`: the paper's own
statements alone, in three columns, with one study for each verdict.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from dirconv.claims import registry
from dirconv.errors import UserError
from dirconv.report import _words

MEASURED = "measured"
BLOCKS = (MEASURED, *registry.PARTS)
SIGNS = {"above": ">", "at least": "≥", "at most": "≤", "below": "<", "between": "≥"}
MARKER = re.compile(r"<!-- (/?)claims:(\S+) -->")


def written(page: Path, text: str, claims: dict[str, registry.Claim], audits: list[dict[str, Any]]) -> str:
    """`text` of `page` with the table of each of its blocks. UserError where it has none, or where markers are wrong.

    audits: the contents of audit.json of several studies; links are relative to the page.
    """
    markers = MARKER.findall(text)
    opened = [name for slash, name in markers if not slash]
    if not opened:
        raise UserError(f"{page}: no block; write the lines <!-- claims:NAME --> and <!-- /claims:NAME --> into it")
    for name in opened:
        if name not in BLOCKS:
            raise UserError(f"{page}: <!-- claims:{name} -->: no such block; known: {', '.join(BLOCKS)}")
    if markers != [mark for name in dict.fromkeys(opened) for mark in (("", name), ("/", name))]:
        names = ", ".join(dict.fromkeys(name for _, name in markers))
        raise UserError(f"{page}: of the blocks {names} each needs <!-- claims:… --> and <!-- /claims:… -->, once")
    for name in opened:
        first, last = f"<!-- claims:{name} -->", f"<!-- /claims:{name} -->"
        before, _, rest = text.partition(first)
        block = table(claims, audits, name, page.parent)
        text = f"{before}{first}\n\n{block}\n\n{last}{rest.partition(last)[2]}"
    return text


def table(claims: dict[str, registry.Claim], audits: list[dict[str, Any]], block: str, folder: Path) -> str:
    """The table of a block: a row a claim, for a page in `folder`. Of a part: its heading too, and a claim's checks."""
    part = "paper" if block == MEASURED else block
    rows = []
    for name, claim in claims.items():
        if claim.part != part or claim.checks_claim is not None:
            continue
        title = " ".join(claim.title.split()).replace("|", r"\|")
        studies = judged(name, claim, audits)
        shown = 1 if block == MEASURED else len(studies)
        cells = [title, measured(claim, studies), verdicts(name, studies, folder, shown)]
        if block != MEASURED:
            targets = [f"`claim_{each}`" for each in (name, *registry.checks(claims, name))]
            cells[0] += "<br>" + "<br>check: ".join(targets)
            cells.append(f"`{claim.figure}`")
        rows.append(cells)
    if block == MEASURED:
        head, heading = ["the paper says", "we measured", "verdict"], []
    else:
        head, heading = ["claim, target", "we measured", "verdict", "figure"], [f"**{registry.PARTS[part]}**", ""]
    return "\n".join([*heading, *(" | ".join(cells) for cells in [head, ["---"] * len(head), *rows])])


def judged(name: str, claim: registry.Claim, audits: list[dict[str, Any]]) -> list[tuple[float, dict, dict]]:
    """τ reached, audit and judgement of every study that judged the claim, the one that was followed furthest first."""
    found = []
    for audit in audits:
        for entry in audit["claims"]:
            if entry["id"] == name:
                found.append((_followed(claim, audit), audit, entry))
    return sorted(found, key=lambda study: (-study[0], study[1]["study"]))


def _followed(claim: registry.Claim, audit: dict[str, Any]) -> float:
    """The least τ that a run of the claim came to in a study; 0 for a claim about something that is not followed."""
    reached = [run["summary"]["tau"] for member, run in audit["runs"].items() if member.partition("/")[0] in claim.runs]
    reached += [problem["median"].get("tau") for run, problem in audit["problems"].items() if run in claim.runs]
    return min((tau for tau in reached if tau is not None), default=0.0)


def measured(claim: registry.Claim, studies: list[tuple[float, dict, dict]]) -> str:
    """The statistic in the first of the studies, its interval, what `supported` takes of it, and the τ reached."""
    if not studies:
        return _words.NONE
    tau, _, entry = studies[0]
    rule, statistic = registry.rule(claim.rule).RULE, entry["statistic"]
    value, low, high = (statistic[key] for key in ("value", "low", "high"))
    text = f"{rule.symbol} {_words.NONE if value is None else _words.short(value)}"
    if interval := _words.interval(value, low, high, _words.short):
        text += f" {interval}"
    asked = f"{SIGNS[rule.relation]}{_words.short(rule.origin + statistic['threshold'])}"
    return f"{text} ({asked}; τ={_words.short(tau)})" if tau else f"{text} ({asked})"


def verdicts(name: str, studies: list[tuple[float, dict, dict]], folder: Path, shown: int) -> str:
    """Each verdict with the first `shown` studies that came to it, linked to their pages."""
    pages: dict[str, list[str]] = {}
    for _, audit, entry in studies:
        path = Path(os.path.relpath(Path(audit["results"], "audit.md"), folder)).as_posix()
        pages.setdefault(entry["verdict"], []).append(f"[{audit['study']}]({path}#{name})")
    return "; ".join(f"{verdict}: {', '.join(links[:shown])}" for verdict, links in pages.items()) or "not run"
