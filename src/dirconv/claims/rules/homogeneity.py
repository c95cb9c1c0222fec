"""Is f(cW) = c^L f(W) for the degree L that is declared?"""

from dirconv.claims import Evidence, Outcome, decided, inconclusive
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("homogeneity",),
    statistic="largest relative deviation of f(cW) from c^L f(W)",
    threshold="supported",
    symbol="Largest deviation",
    relation="at most",
    other="contradicted",
    finds=("the network is homogeneous", "the network is not homogeneous"),
    judged="Supported: the deviation is at most supported. Contradicted: it is above contradicted.",
    assumption=False,
    degree=True,
)


@configurable
class Thresholds:
    supported: float  # up to which it is rounding
    contradicted: float  # above which the network is not homogeneous


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    table = evidence.tables["homogeneity"]
    if table["deviation"].isna().any():
        return inconclusive("the deviation is no number")
    worst = table.loc[table["deviation"].idxmax()]
    deviation, where = float(worst["deviation"]), f"at c = {worst['scale']:g}"
    return decided(deviation <= thresholds.supported, deviation > thresholds.contradicted, where, deviation)
