"""A strip that shows an interval against its threshold: the numbers for an inline SVG, in units of its own."""

from __future__ import annotations

import math
from typing import Any

from dirconv.report import _finding, _words

WIDTH, MARGIN = 240.0, 14.0
SPREAD = 30  # of the largest to the smallest number, above which a strip is logarithmic
FEWEST_DECADES = 0.3  # on either side of what is shown, where it is logarithmic


def strip(statistic: dict[str, Any]) -> dict[str, Any] | None:
    """Places along the strip of value, low, high and the threshold, and the part that supports; None without a value.

    Logarithmic where all numbers are positive and differ by more than SPREAD.
    """
    if statistic["value"] is None:
        return None
    shown = [*_finding.ends(statistic), statistic["bound"]]
    if statistic["relation"] == "between":
        shown.append(statistic["other"])
    logarithmic = min(shown) > 0 and max(shown) > SPREAD * min(shown)
    scaled = [math.log10(number) for number in shown] if logarithmic else shown
    least, most = min(scaled), max(scaled)
    room = 0.15 * (most - least) or (FEWEST_DECADES if logarithmic else 0.5 * abs(most) or 1.0)
    place = {
        number: round(MARGIN + (WIDTH - 2 * MARGIN) * (at - least + room) / (most - least + 2 * room), 1)
        for number, at in zip(shown, scaled, strict=True)
    }
    value, low, high, bound, *upper = (place[number] for number in shown)
    return {
        "width": WIDTH,
        "value": value,
        "low": low,
        "high": high,
        "bound": bound,
        "anchor": "start" if bound < WIDTH / 4 else "end" if bound > 3 * WIDTH / 4 else "middle",
        "supports": _supporting(statistic["relation"], bound, *upper),
        "logarithmic": logarithmic,
        "text": f"{statistic['name']}: {_words.short(statistic['value'])} "
        f"{_words.interval(*_finding.ends(statistic), _words.short)}; supported where {_finding.needed(statistic)}",
    }


def _supporting(relation: str, bound: float, upper: float = WIDTH) -> tuple[float, float]:
    """Start and length of the part of the strip that supports."""
    start, end = {"at most": (0.0, bound), "below": (0.0, bound)}.get(relation, (bound, upper))
    return start, round(end - start, 1)
