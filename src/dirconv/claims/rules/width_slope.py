"""Do wider networks reach ℒ < ℓ(0) sooner? Judged over all widths together, seed by seed."""

import numpy as np

from dirconv.claims import Evidence, Outcome, decided, inconclusive
from dirconv.claims.fits import line
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
GOES_THROUGH = ("fits",)
RULE = Rule(
    tables=("start", "limit"),
    statistic="slope of ln(flow time to ℒ < ℓ(0)) against ln(width)",
    threshold="slope",
    symbol="Slope",
    relation="below",
    finds=("wider networks reach ℒ < ℓ(0) sooner", "wider networks reach ℒ < ℓ(0) no sooner"),
    judged=(
        "Supported: the slope's interval lies below slope. Contradicted: it lies above. Neither where a width never "
        "arrives."
    ),
    across=True,
    assumption=False,  # it asks when the assumption comes to hold
)


@configurable
class Thresholds:
    slope: float  # 0: the time does not depend on the width


def judge(runs: list[Evidence], thresholds: Thresholds) -> Outcome:
    """All widths of one seed."""
    arrived, never = [], []
    for run in runs:
        start, limit = run.tables["start"].iloc[-1], run.tables["limit"].iloc[-1]
        width = run.record["specification"]["problem"]["width"]
        if start["below"]:
            arrived.append((width, float(start["time"]), float(limit["margin"])))
        else:
            never.append(width)
    if len(arrived) < 3:
        return inconclusive("fewer than three widths have reached ℒ < ℓ(0)")
    width, time, margin = (np.array(part, dtype=float) for part in zip(*sorted(arrived), strict=True))
    fit = line(np.log(width), np.log(time))
    reason = f"margin at the end {margin[0]:.2g} at width {width[0]:g}, {margin[-1]:.2g} at {width[-1]:g}"
    unless = f"width {', '.join(f'{w:g}' for w in sorted(never))} never arrives; {reason}" if never else ""
    return decided(fit.high < thresholds.slope, fit.low > thresholds.slope, reason, *fit, unless=unless)
