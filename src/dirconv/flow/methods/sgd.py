r"""SGD with a rate scaled by the loss, as Lyu and Li (ICLR 2020) reached risks below 10^(−800).

A step is one epoch over shuffled batches B: W ← W − α ∇ℒ_B(W)/(|B| ℒ̄), with ℒ̄ the mean loss over all examples when
the epoch began, so that the speed on ln ℒ does not vanish with ℒ. After an epoch in which the risk fell, α grows by
2^(1/5). After one in which it rose or was not finite, the weights are reset and α shrinks by 2^(1/10), their rule.

The full-batch gradient at the end of an epoch is measured as for the other methods. The path length is that between
ends of epochs. No error is estimated (NaN).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from dirconv.flow import State, Step, Underflow
from dirconv.flow.point import advance, evaluate, measure
from dirconv.options import configurable, require_positive

if TYPE_CHECKING:
    from dirconv.losses import Loss
    from dirconv.margins.network import NetworkMap

NUMERICS = 1
GOES_THROUGH = ("batch_gradient", "point")
SMALLEST_RATE = 1e-12


@configurable
class Spec:
    """Options of the method."""

    method: Literal["sgd"] = "sgd"
    couples = True
    rate: float = 0.1  # α at the start
    batch: int = 100
    seed: int = 0  # of the order of the examples
    arithmetic: Literal["float32", "bfloat16"] = "float32"  # of the batches' gradients; never of what is measured

    def __post_init__(self) -> None:
        require_positive(self, "rate", "batch")


def steps(margin_map: NetworkMap, loss: Loss, spec: Spec, state: State) -> Iterator[Step]:
    """The state itself, measured, and then every epoch that was kept; the caller ends it.

    After an epoch that was not kept, the step before it is shown again with the new state, so that a job can end there.
    """
    import torch

    from dirconv.margins.batch import BatchGradient

    gradient = BatchGradient(margin_map, loss, spec.arithmetic)
    generator = torch.Generator()
    if state.memory:
        generator.set_state(state.memory["random"].cpu())  # a resumed job has moved it to its device
    else:
        generator.manual_seed(spec.seed)
        state = dataclasses.replace(state, step_size=spec.rate, evaluations=1, memory={"random": generator.get_state()})
    here = evaluate(margin_map, loss, state.weights)
    step = measure(margin_map, loss, state, here, error=math.nan)
    yield step
    count = len(here.margins)
    rate, rejected = state.step_size, int(state.memory.get("rejected", 0))
    while True:
        ln_risk = float(loss.ln_risk(here.margins))
        weights = here.weights
        order = torch.randperm(count, generator=generator).to(weights.device)
        for batch in order.split(min(spec.batch, count)):
            # ∇ℒ_B/(|B| ℒ̄), ℒ̄ = ℒ/n
            weights = weights - rate * gradient(weights, batch, ln_risk - math.log(count))
        there = evaluate(margin_map, loss, weights)
        new_ln_risk = float(loss.ln_risk(there.margins))
        if not (math.isfinite(new_ln_risk) and new_ln_risk < ln_risk):
            rejected += 1
            rate /= 2**0.1
            memory = {"random": generator.get_state(), "rejected": torch.tensor(rejected)}
            state = dataclasses.replace(state, step_size=rate, evaluations=state.evaluations + 1, memory=memory)
            if rate < SMALLEST_RATE:
                raise Underflow
            step = dataclasses.replace(step, state=state)
            yield step
            continue
        rate *= 2**0.2
        taken = float((weights - here.weights).norm() / here.weights.norm())
        memory = {"random": generator.get_state()}
        state = advance(state, weights, rate, evaluations=1, memory=memory)
        step = measure(margin_map, loss, state, there, step_size=taken, error=math.nan, rejected=rejected)
        yield step
        here, rejected = there, 0
