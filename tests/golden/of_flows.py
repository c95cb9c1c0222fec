"""Golden runs of training and of every way to follow the flow."""

from __future__ import annotations

import math

import adapt
import torch
from case import Numbers, golden
from maps import digits, entries, inhomogeneous, linear, normal, on_digits, smooth, three_classes

from dirconv import losses

FLOW = ("flow", "point", "losses", "margin_map")
QUANTITIES = ("ln_risk", "norm", "cos", "cos_point", "unnormalised_margin", "smallest_margin", "effective_examples")
STEP = ("step_size", "error")


def ended(margin_map, loss: str, start: torch.Tensor, options: dict, **stop) -> Numbers:
    """What a flow recorded along its way and where it came to."""
    events = adapt.followed(margin_map, loss, start, options, **stop)
    every = [event.step for event in events]
    some = every[:: max(1, len(every) // 6)] + every[-1:]
    found: Numbers = {name: [getattr(step, name) for step in some] for name in (*QUANTITIES, *STEP)}
    found["zeta"] = [step.state.path_length for step in some]
    found["rejected"] = float(sum(step.rejected for step in every))
    found["steps"] = float(every[-1].state.step)
    found["evaluations"] = float(every[-1].state.evaluations)
    found["jacobians"] = float(every[-1].state.jacobians)
    found["resolution in roundings of the margin"] = every[-1].resolution / abs(every[-1].smallest_margin) * 2**53
    found["landed"] = float(sum(step.landed for step in every))
    found["stop"] = str(events[-1].stop)
    found["direction"] = entries(every[-1].state.weights / every[-1].state.weights.norm(), 9)
    return found


def prefixed(prefix: str, numbers: Numbers) -> Numbers:
    return {f"{prefix}: {label}": value for label, value in numbers.items()}


# two epochs of six steps in float32: 2⁻²⁴ a product, and some hundredfold growth of a difference through ReLU kinks
TRAINING = {"learning_rate": 0.1, "batch": 7}


def trained(arithmetic: str) -> Numbers:
    images, labels = digits(40)
    margin_map, _ = on_digits(torch.float32)
    margin_map = margin_map.on(images.float(), labels)
    with torch.no_grad():
        for i, parameter in enumerate(margin_map.network.parameters()):
            parameter.copy_(normal(30 + i, *parameter.shape) * (2 / parameter[0].numel()) ** 0.5)
    states = adapt.trained(margin_map, "logistic", **TRAINING, momentum=0.8, epochs=2, arithmetic=arithmetic)
    loss = losses.get("logistic")
    return {
        "epochs": float(states[-1].epoch),
        "ln risk": [float(loss.ln_risk(margin_map.values(state.weights))) for state in states],
        "norm": [float(state.weights.norm()) for state in states],
        "weights": entries(states[-1].weights, 9),
        "velocity": entries(states[-1].velocity, 9),
    }


@golden("training", "batch_gradient", "margin_map", "losses", relative=1e-4)
def of_training() -> Numbers:
    return trained("float32")


# as above with products of 8 bits, 2⁻⁹ each
@golden("training", "batch_gradient", "margin_map", "losses", name="training.bfloat16", relative=3e-2)
def of_training_in_bfloat16() -> Numbers:
    return trained("bfloat16")


PROXIMAL = ("flow.proximal", "step_control", "dual", *FLOW)


@golden(*PROXIMAL, relative=1e-8)
def of_proximal() -> Numbers:
    """On smooth maps, to a moderate τ, with and without a degree."""
    cubic, start = smooth()
    tanh, first = inhomogeneous()
    margins, far = linear()
    half = {"method": "proximal", "tolerance": 0.025, "land": 0.2}
    few = {"method": "proximal", "tolerance": 0.3, "slack": 0.01, "largest_step": 0.5, "land": 0.5}
    return {
        **prefixed("exponential", ended(cubic, "exponential", start, {"method": "proximal"}, tau=1.5)),
        **prefixed("logistic, half", ended(cubic, "logistic", 1.5 * start, half, tau=0.5)),
        **prefixed("no degree", ended(tanh, "exponential", first, {"method": "proximal", "tolerance": 0.1}, steps=25)),
        # margins so far apart that examples are left out, and taken in when the direction has turned
        **prefixed("left out", ended(margins, "exponential", 60 * far, few, tau=1.0)),
    }


@golden(*PROXIMAL, name="flow.proximal.network", relative=1e-7)
def of_proximal_on_networks() -> Numbers:
    """A ReLU network in float64, where only few examples take part; and one with three classes."""
    binary, start = on_digits()
    several, weights = clear_cut(10)
    options = {"method": "proximal", "tolerance": 0.1, "slack": 0.2}
    return {
        **prefixed("two classes", ended(binary, "logistic", start, options, steps=10)),
        **prefixed("three classes", ended(several, "cross_entropy", weights, options, steps=8)),
    }


BUNDLE = ("flow.bundle", "backward", "cuts", "proximal_step", "jacobian", "cut_dual", "step_control", *FLOW)


# the interior point ends at 10⁻³ of a displacement at worst, and steps add up
@golden(*BUNDLE, relative=1e-4)
def of_bundle() -> Numbers:
    """On smooth maps with and without a degree, and on ReLU networks of two and three classes, kinks resolved."""
    cubic, start = smooth()
    tanh, first = inhomogeneous()
    binary, weights = on_digits()
    several, clear = clear_cut(10)
    options = {"method": "bundle", "tolerance": 0.05}
    return {
        **prefixed("smooth", ended(cubic, "exponential", start, options, tau=1.0)),
        **prefixed("no degree", ended(tanh, "exponential", first, options, steps=15)),
        **prefixed("two classes", ended(binary, "logistic", weights, options, steps=8)),
        **prefixed("three classes", ended(several, "cross_entropy", clear, options, steps=8)),
    }


def clear_cut(count: int) -> tuple:
    """Of 40 random images with the labels that a network gives them those with the largest margins, the least is 3."""
    drawn, weights = three_classes(count=40)
    parameters = {block.name: weights[block.start : block.stop].view(block.shape) for block in drawn.blocks}
    labels = torch.func.functional_call(drawn.network, parameters, (drawn.images,)).argmax(1)
    labelled = drawn.on(drawn.images, labels)
    best = labelled.values(weights).amin(1).argsort(descending=True)[:count].sort().values
    found = drawn.on(drawn.images[best], labels[best])
    return found, weights * (3 / float(found.values(weights).min())) ** 0.5


# margins to 2⁻²⁰ or so, which the softmin weights see as they are; ten steps
@golden(*PROXIMAL, name="flow.proximal.float32", relative=1e-3)
def of_proximal_in_float32() -> Numbers:
    margin_map, start = on_digits(torch.float32)
    found = ended(margin_map, "logistic", start, {"method": "proximal", "tolerance": 0.2}, steps=8)
    return {label: found[label] for label in ("ln_risk", "norm", "cos", "zeta", "steps", "direction", "stop")}


@golden("flow.descent", "step_control", *FLOW)
def of_descent() -> Numbers:
    cubic, start = smooth()
    tanh, first = inhomogeneous()
    options = {"method": "descent", "tolerance": 2e-3, "first_step": 0.1, "largest_step": 0.06}
    return {
        **prefixed("exponential", ended(cubic, "exponential", start, options, steps=25)),
        **prefixed("no degree", ended(tanh, "logistic", 2 * first, options, steps=12)),
        **prefixed("network", ended(*binary(), {"method": "descent"}, steps=8)),
    }


def binary() -> tuple:
    margin_map, start = on_digits()
    return margin_map, "logistic", start


@golden("flow.gradient_descent", *FLOW)
def of_gradient_descent() -> Numbers:
    cubic, start = smooth()
    options = {"method": "gradient_descent", "learning_rate": 0.02}
    return {
        **prefixed("exponential", ended(cubic, "exponential", start, options, steps=12)),
        **prefixed("polynomial", ended(cubic, "polynomial", start, options, steps=12)),
    }


@golden("flow.sgd", "batch_gradient", *FLOW, relative=1e-8)
def of_sgd() -> Numbers:
    margin_map, loss, start = binary()
    found = ended(margin_map, loss, start, {"method": "sgd", "rate": 0.05, "batch": 6, "seed": 2}, steps=4)
    wild = ended(margin_map, loss, start, {"method": "sgd", "rate": 150.0, "batch": 20}, steps=1)
    return {
        **prefixed("steady", {label: value for label, value in found.items() if label != "error"}),
        **prefixed("too fast", {label: wild[label] for label in ("ln_risk", "rejected", "zeta")}),
    }


@golden("flow.rk4", *FLOW)
def of_rk4() -> Numbers:
    cubic, start = smooth()
    return ended(cubic, "exponential", start, {"method": "rk4", "step": 0.03}, steps=8)


@golden("flow.dopri5", *FLOW, relative=1e-8)
def of_dopri5() -> Numbers:
    cubic, start = smooth()
    return ended(cubic, "exponential", start, {"method": "dopri5", "tolerance": 1e-5, "segment": 0.05}, steps=5)


@golden(
    "flow", "goals", "point", "flow.rk4", "flow.proximal", "step_control", "dual", "losses", "margin_map", relative=1e-8
)
def of_flow() -> Numbers:
    """Goals, levels of the risk at which weights are kept, and progress."""
    cubic, start = smooth()
    found: Numbers = {}
    explicit, implicit = {"method": "rk4", "step": 0.03}, {"method": "proximal"}
    goals = {
        "tau": (explicit, {"tau": 0.05}),
        "risk": (explicit, {"log_inverse_risk": 8.0}),
        "cos": (explicit, {"cos": 0.5}),
        "steps": (implicit, {"steps": 7}),
        "tail": (implicit, {"tail": 0.05}),
        "above l(0)": (explicit, {"steps": 3}),
    }
    for name, (method, goal) in goals.items():
        # the tail of a linear map's flow soon decays fast enough to be integrable
        margin_map, first = linear() if name == "tail" else (cubic, 0.5 * start if name == "above l(0)" else start)
        events = adapt.followed(margin_map, "exponential", first, method, **{"steps": 60, **goal})
        last = events[-1]
        found[f"{name}: stop"] = str(last.stop)
        found[f"{name}: steps"] = float(last.step.state.step)
        found[f"{name}: levels"] = [float(event.highest_level) for event in events[:8]]
        found[f"{name}: kept"] = [float(event.step.state.step) for event in events if event.snapshot][:12]
        found[f"{name}: progress"] = [event.progress for event in events[:5]]
        found[f"{name}: ln risk"] = last.step.ln_risk
        found[f"{name}: tau"] = math.log(last.step.norm / events[0].step.norm)
    return found


# Newton's method stops 10⁻⁵ away from the solution, and squares that with its last step
@golden("dual", relative=1e-8)
def of_dual() -> Numbers:
    found: Numbers = {}
    for name, size in {"easy": 1.0, "stiff": 1e3, "program": 1e7}.items():
        rows = normal(40, 12, 5)
        a, b = size * rows @ rows.T, size * normal(41, 12)
        solution = adapt.dual().solve(a, b)
        again = adapt.dual().solve(1.1 * a, b, solution.ln_q)
        found[f"{name}: q"] = solution.q.tolist()
        found[f"{name}: q from a start"] = again.q.tolist()
        weighty = solution.q > 1e-8
        found[f"{name}: ln q"] = solution.ln_q[weighty].tolist()
        found[f"{name}: factorizations"] = [float(solution.factorizations), float(again.factorizations)]
        found[f"{name}: converged"] = [float(solution.converged), float(again.converged)]
    return found


@golden("cut_dual", relative=1e-7)
def of_cut_dual() -> Numbers:
    """Six examples with two cuts each, in general position: no two solutions."""
    rows = normal(42, 12, 20)
    gram, values, owners = rows @ rows.T / 20, 1 + 0.1 * normal(43, 12), torch.arange(12) // 2
    found: Numbers = {}
    for temperature in (0.0, 1e-9, 1e-3, 0.1):
        solution = adapt.cut_dual().solve(gram, values, owners, temperature)
        found[f"{temperature}: q"] = [x if x > 1e-6 else 0.0 for x in solution.q.tolist()]
        found[f"{temperature}: converged"] = [float(solution.converged)]
    return found


@golden("soundness", "flow", "flow.rk4", "goals", "point", "losses", relative=1e-7)
def of_what_is_no_flow() -> Numbers:
    """Into a pole, and along a gradient of which a part is cut out on the way."""

    def pole(w: torch.Tensor) -> torch.Tensor:
        return (1 / (w[0] - 1) + 0.1 * w[1]).view(1, 1)

    def cut(w: torch.Tensor) -> torch.Tensor:
        first = w[0] if float((w[0] / w.norm()).detach()) < 0.6 else w[0].detach()
        return (w[0] * first + w[1] * w[2]).view(1, 1)

    found: Numbers = {}
    for name, function, degree, start in (("pole", pole, None, [1.2, 1.0]), ("cut", cut, 2, [1.0, 0.5, 2.0])):
        weights = torch.tensor(start, dtype=torch.float64)
        options = {"method": "rk4", "step": 0.01}
        end = adapt.followed(adapt.function_map(function, degree), "exponential", weights, options, steps=400)[-1]
        found[f"{name}: stop"] = str(end.stop)
        found[f"{name}: step"] = float(end.step.state.step)
        found[f"{name}: weights"] = end.step.state.weights.tolist()
    return found


@golden("rates", "losses")
def of_rates() -> Numbers:
    cubic, start = smooth()
    margins, pullback = cubic.linearize(start)
    found: Numbers = {}
    for name in ("exponential", "logistic"):
        loss = losses.get(name)
        velocity = pullback(loss.weights(margins))
        rates = torch.func.jvp(cubic.function, (start,), (velocity,))[1]
        for row in adapt.decompose(name, 3, start, margins, velocity, rates):
            for side in ("left", "radial", "spherical"):
                found[f"{name}, {row['quantity']}: {side}"] = row[side]
        # half the margins' rates: the sides no longer agree, and by how much is no rounding error
        for row in adapt.decompose(name, 3, start, margins, velocity, rates / 2):
            found[f"{name}, {row['quantity']}: difference"] = max(row["difference"], 1e-9)
    return found
