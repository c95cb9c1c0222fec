"""What came out of a claim, in one sentence: which network, what it does, the statistic, and what kept it undecided."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from dirconv.report import _words

KINDS = {  # of what came out, in the order in which they are shown
    "surprising": "other than expected",
    "expected": "as expected",
    "answered": "an open question, answered",
    "undecided": "the runs decide nothing",
    "control": "what must come out",
}
NAMED = 3  # most networks that are named


def kind(entry: dict[str, Any]) -> str:
    """Which of KINDS a claim of an audit, or a check, is."""
    if entry["part"] == "control":
        return "control"
    if entry["verdict"] == "inconclusive":
        return "undecided"
    return {True: "expected", False: "surprising", None: "answered"}[entry["agrees"]]


def badge(entry: dict[str, Any]) -> dict[str, str]:
    """Text and style of the badge.

    A control that came out as it must reads as a success, whatever its verdict is. One that is merely undecided, where
    that is allowed, does not.
    """
    verdict, of = entry["verdict"], kind(entry)
    if of == "control" and entry["fails"]:
        return {"text": f"NOT as it must: {verdict}", "style": "alarming"}
    if of == "control" and entry["must_be"] and verdict == entry["expected"]:
        return {"text": f"as it must: {verdict}", "style": "supported"}
    if verdict == "inconclusive":
        return {"text": "undecided", "style": verdict}
    style = "supported" if of == "expected" else verdict  # what was expected reads as a success too
    return {"text": verdict if of == "control" else f"{of}: {verdict}", "style": style}


def finding(entry: dict[str, Any]) -> dict[str, str]:
    """The sentence's parts: subject, clause, statistic; and `because`, the reason or what blocked a verdict."""
    holds, fails = entry["finds"]
    clause = {"supported": holds, "contradicted": fails, "inconclusive": f"undecided whether {holds}"}[entry["verdict"]]
    return {
        "subject": _subject(entry),
        "clause": clause,
        "statistic": _statistic(entry["statistic"], entry["verdict"]),
        "because": _because(entry),
    }


def _subject(entry: dict[str, Any]) -> str:
    """AlexNet on CIFAR-10, 3 seeds. Of a contradiction, how many of them: 1 of 3 seeds."""
    networks, outcomes = entry["networks"].values(), entry["seeds"].values()
    names = list(dict.fromkeys(network["name"].replace("relu", "ReLU") for network in networks))
    name = _words.alternatives(names, "and") if 0 < len(names) <= NAMED else _words.count(len(names), "network")
    data = {re.split("[,:(]", network["data"])[0].strip() for network in networks} - {"", "none"}
    on = f" on {data.pop()}" if len(data) == 1 else ""
    so = sum(outcome["verdict"] == "contradicted" for outcome in outcomes) or len(outcomes)
    many = "" if so == len(outcomes) else f"{so} of "
    return f"{name}{on}, {many}{_words.count(len(outcomes), 'seed' if len(names) == 1 else 'run')}"


def _statistic(statistic: dict[str, Any], verdict: str) -> str:
    """P = 1.5 [1.4, 1.6], above 1."""
    if statistic["value"] is None:
        return ""
    value = _words.short(statistic["value"])
    interval = _words.interval(*ends(statistic), _words.short)
    return f"{statistic['symbol']} = {' '.join(filter(None, (value, interval)))}, {_related(statistic, verdict)}"


def ends(statistic: dict[str, Any]) -> tuple[float, float, float]:
    """Value, low and high; the value itself where there is no interval."""
    return tuple(statistic["value"] if statistic[key] is None else statistic[key] for key in ("value", "low", "high"))


def needed(statistic: dict[str, Any]) -> str:
    """What the whole interval must be for the claim to be supported: above 1, between 0.75 and 1.25."""
    bound = _words.short(statistic["bound"])
    upper = f" and {_words.short(statistic['other'])}" if statistic["relation"] == "between" else ""
    return f"{statistic['relation']} {bound}{upper}"


def _related(statistic: dict[str, Any], verdict: str) -> str:
    """How value and interval lie to the threshold."""
    met = [_meets(end, statistic) for end in ends(statistic)]
    if all(met):  # a rule may ask for more than its statistic tells
        return f"to be {needed(statistic)}" if verdict == "contradicted" else needed(statistic)
    return f"only partly {needed(statistic)}" if any(met) else f"not {needed(statistic)}"


def _meets(value: float, statistic: dict[str, Any]) -> bool:
    bound, other = statistic["bound"], statistic["other"]
    return {
        "above": value > bound,
        "at least": value >= bound,
        "at most": value <= bound,
        "below": value < bound,
        "between": other is not None and bound <= value <= other,
    }[statistic["relation"]]


def _because(entry: dict[str, Any]) -> str:
    """The reason; of an undecided verdict how many runs decide nothing, and the clause that is not met."""
    if entry["verdict"] != "inconclusive":
        return entry["reason"]
    verdicts = Counter(outcome["verdict"] for outcome in entry["seeds"].values())
    total = verdicts.total()
    undecided = verdicts["inconclusive"]
    those = f"{undecided} of {total} runs {'decides' if undecided == 1 else 'decide'} nothing: " if total > 1 else ""
    unmet = f"not met is “{entry['unmet']}”; " if entry["unmet"] else ""
    return f"{those}{unmet}{entry['reason']}"
