"""Does the flow from initialization reach ℒ < ℓ(0), where the theorems begin?"""

from dirconv.claims import Evidence, Outcome, Verdict, decided
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("start",),
    statistic="steps of the descent to ℒ < ℓ(0), or those after which it was given up",
    threshold="steps",
    symbol="Steps",
    relation="at most",
    finds=("every training example comes to be classified", "some training example is never classified"),
    judged="Supported: ℒ < ℓ(0) is reached within steps. Contradicted: it is not reached at all.",
    assumption=False,  # it asks for the assumption itself
)


@configurable
class Thresholds:
    steps: float  # within which ℒ < ℓ(0) is to be reached


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    start = evidence.tables["start"]
    first, last = start.iloc[0], start.iloc[-1]
    steps = float(last["step"])
    if not last["below"]:
        reason = f"ℒ is still {last['ln_risk']:.3g} in ln, {last['train_error']:.1%} of the training images are wrong"
        return Outcome(Verdict.CONTRADICTED, steps, reason=reason)
    reason = (
        f"after flow time {last['time']:.3g} of the mean loss; till then the smoothed margin went from "
        f"{first['smoothed_margin']:.2g} to {last['smoothed_margin']:.2g}"
    )
    return decided(steps <= thresholds.steps, False, reason, steps)
