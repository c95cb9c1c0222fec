"""Are the rates of ã and ζ the sums of their radial and spherical parts, wherever margins are resolved?"""

from dirconv.claims import Evidence, Outcome, decided, inconclusive
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("path", "decomposition"),
    statistic="largest relative difference between dã/dt, dζ/dt and the sums of their radial and spherical parts",
    threshold="difference",
    symbol="Largest difference",
    relation="at most",
    other="broken",
    finds=("the rates split into radial and spherical parts", "the rates do not split into radial and spherical parts"),
    judged=(
        "Supported: no two sides differ by more than difference. Contradicted: two differ by more than broken. Points "
        "at which ln q is not known to resolution are not judged."
    ),
    degree=True,
)


@configurable
class Thresholds:
    difference: float  # relative, up to which two sides agree
    broken: float  # relative, above which they do not
    resolution: float  # of ln q, q the softmin weights


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    table = evidence.tables["decomposition"]
    resolved = table[table["resolution"] <= thresholds.resolution]
    if resolved.empty:
        return inconclusive(f"margins are nowhere resolved to {thresholds.resolution:g}")
    if resolved["difference"].isna().any():
        return inconclusive("a rate is no number")
    worst = resolved.loc[resolved["difference"].idxmax()]
    value = float(worst["difference"])
    reason = f"{worst['quantity']} at τ = {worst['tau']:.3g}, of {resolved['snapshot'].nunique()} points"
    reason += f" (margins are resolved at those, of {table['snapshot'].nunique()})"
    return decided(value <= thresholds.difference, value > thresholds.broken, reason, value)
