"""Golden runs of losses, networks and margin maps."""

from __future__ import annotations

import math

import adapt
import torch
from case import Numbers, golden
from maps import entries, normal, normalized, on_digits, smooth, three_classes, weights_for

from dirconv import losses

MARGINS = {
    "mixed": [[-30.0], [-2.0], [-0.1], [0.0], [0.3], [5.0], [40.0]],
    "small": [[0.5], [0.7], [1.5]],
    "late": [[3000.0], [3000.5], [3003.0]],
}
THREE = [[-1.0, 2.0], [0.5, 0.1], [4.0, 9.0], [50.0, 51.0]]


@golden("losses", relative=1e-12, absolute=1e-14)
def of_losses() -> Numbers:
    found: Numbers = {}
    for name in losses.LOSSES:
        loss = losses.get(name)
        found[f"{name}: ln l(0)"] = loss.ln_at_zero
        sets = {key: torch.tensor(rows, dtype=torch.float64) for key, rows in MARGINS.items()}
        if name in ("exponential", "cross_entropy"):
            sets["three classes"] = torch.tensor(THREE, dtype=torch.float64)
        for key, margins in sets.items():
            ln_risk = float(loss.ln_risk(margins))
            found[f"{name}, {key}: ln risk"] = ln_risk
            found[f"{name}, {key}: inverse"] = loss.inverse(ln_risk)
            found[f"{name}, {key}: slopes"] = loss.ln_slopes(margins).flatten().tolist()
            found[f"{name}, {key}: weights"] = loss.weights(margins).flatten().tolist()
        found[f"{name}: inverses"] = [loss.inverse(ln) for ln in (-40.0, -30.0, -1.0, -0.1, 0.5, 3.0)]
    return found


def seen(options: dict, channels: int, side: int, count: int, outputs: int = 1, seed: int = 0) -> Numbers:
    """Margins of random images and entries of a pullback, in float64."""
    network, degree, coupled = adapt.network(options, channels, outputs)
    images = normal(100 + seed, count, channels, side, side)
    labels = (-1.0) ** torch.arange(count, dtype=torch.float64) if outputs == 1 else torch.arange(count) % outputs
    margin_map = adapt.network_map(network.double(), images, labels, degree, coupled=coupled)
    weights = weights_for(margin_map, seed)
    margins, pullback = margin_map.linearize(weights)
    q = torch.softmax(normal(200 + seed, margins.numel()), 0).view_as(margins)
    velocity = pullback(q)
    return {
        "degree": math.nan if degree is None else float(degree),
        "parameters": float(len(weights)),
        "margins": margins.flatten().tolist(),
        "pullback's norm": float(velocity.norm()),
        "pullback": entries(velocity, 9),
    }


def prefixed(prefix: str, numbers: Numbers) -> Numbers:
    return {f"{prefix}: {label}": value for label, value in numbers.items()}


@golden("network.alexnet", "initial_weights", "margin_map")
def of_alexnet() -> Numbers:
    options = {"name": "alexnet", "width": 0.125}
    return {
        **prefixed("plain", seen(options, 3, 32, 3)),
        **prefixed("biased", seen({**options, "biases": True}, 3, 32, 2, 3, 1)),
        **prefixed("smooth", seen({**options, "activation": "smooth"}, 3, 32, 3, 1, 2)),
        **prefixed("full width", {"parameters": float(sum(p.numel() for p in whole("alexnet")))}),
    }


def whole(name: str):
    return adapt.network({"name": name}, 3, 1)[0].parameters()


@golden("network.fully_connected", "initial_weights", "margin_map")
def of_fully_connected() -> Numbers:
    found: Numbers = {}
    for i, activation in enumerate(("relu", "leaky_relu", "squared_relu", "linear")):
        options = {"name": "fully_connected", "hidden": [20, 10], "activation": activation}
        found |= prefixed(activation, seen(options, 3, 32, 3, 1 + i, i))
    return {**found, "whole: parameters": float(sum(p.numel() for p in whole("fully_connected")))}


@golden("network.densenet", "densenet_layers", "initial_weights", "margin_map")
def of_densenet() -> Numbers:
    small = {"name": "densenet", "depth": 16, "growth": 3}
    return {
        **prefixed("small", seen(small, 3, 16, 4)),
        **prefixed("whole", {"parameters": float(sum(p.numel() for p in whole("densenet")))}),
    }


# 120 layers on a batch of two: the gradient's rounding errors grow by some 10⁴
@golden("network.densenet121", "densenet_layers", "initial_weights", "margin_map", relative=1e-7)
def of_densenet121() -> Numbers:
    return seen({"name": "densenet121"}, 3, 16, 2)


@golden("network.resnet", "initial_weights", "margin_map")
def of_resnet() -> Numbers:
    found: Numbers = {}
    for i, options in enumerate(
        ({"skip": "identity"}, {"skip": "weighted", "blocks": 2}, {"normalization": True, "biases": True})
    ):
        numbers = seen({"name": "resnet", "width": 0.25, **options}, 3, 16, 3, seed=i)
        found |= prefixed(" ".join(options), numbers)
    return found


# drawn in float32 by torch, whose normal numbers differ in the last digits between instruction sets
@golden(
    "initial_weights",
    "network.alexnet",
    "network.densenet",
    "network.resnet",
    "densenet_layers",
    relative=1e-5,
    absolute=1e-7,
)
def of_initial_weights() -> Numbers:
    found: Numbers = {}
    for options in (
        {"name": "alexnet", "width": 0.25},
        {"name": "resnet", "width": 0.5, "biases": True, "normalization": True},
        {"name": "densenet", "depth": 10, "growth": 4},
    ):
        network, _, _ = adapt.network(options, 3, 2, seed=11, scale=1.5)
        for name, values in network.named_parameters():
            values = values.detach().double()
            found[f"{options['name']}, {name}: norm"] = float(values.norm())
            found[f"{options['name']}, {name}"] = entries(values, 3)
    return found


@golden("margin_map")
def of_margin_map() -> Numbers:
    found: Numbers = {}
    everyone = torch.arange(10)
    for name, (margin_map, weights) in {"two classes": on_digits(), "three classes": three_classes()}.items():
        rows = margin_map.rows(weights, everyone)
        width = rows.margins.shape[1]
        q = torch.softmax(normal(12, 10 * width), 0).view(10, width)
        apart = adapt.network_map(
            margin_map.network, margin_map.images, margin_map.labels, margin_map.degree, layerwise=False, chunk=4
        ).rows(weights, everyone)
        found |= prefixed(
            name,
            {
                "margins": margin_map.values(weights).flatten().tolist(),
                "of some": margin_map.values(weights, torch.tensor([3, 1])).flatten().tolist(),
                "precise": entries(margin_map.precise().values(weights)),
                "gram": entries(rows.gram(), 12),
                "gram, one by one": entries(apart.gram(), 12),
                "pullback": entries(rows.pullback(q), 7),
                "recomputed": recomputed(margin_map, weights),
            },
        )
    margin_map, weights = normalized()
    margins, fixed = margin_map.settled(weights)
    rows = margin_map.rows(weights, everyone)
    found |= prefixed(
        "normalized",
        {
            "coupled": margins.flatten().tolist(),
            "gram, coupled": entries(rows.gram(), 12),
            "push, coupled": entries(rows.push(weights)),
            "frozen": fixed.values(weights).flatten().tolist(),
            "gram": entries(fixed.rows(weights, everyone).gram(), 12),
            "pullback": entries(margin_map.linearize(weights)[1](torch.full((10, 1), 0.1, dtype=torch.float64)), 7),
        },
    )
    margin_map, weights = smooth()
    rows = margin_map.rows(weights, torch.arange(8))
    found |= prefixed("function", {"margins": rows.margins.flatten().tolist(), "gram": entries(rows.gram(), 9)})
    single, _ = on_digits(torch.float32)
    found["unit"] = [margin_map.unit * 2**53, single.unit * 2**24]
    return found


def recomputed(margin_map, weights: torch.Tensor) -> list[float]:
    """A pullback whose activations are not kept."""
    forgetful = adapt.network_map(
        margin_map.network, margin_map.images, margin_map.labels, margin_map.degree, chunk=3, keep=0
    )
    margins, pullback = forgetful.linearize(weights)
    return entries(pullback(torch.full_like(margins, 0.1)), 7)


# 24 bits, through two layers: a few units in the last place of the largest margin
@golden("margin_map", name="margin_map.float32", relative=1e-5)
def of_margin_map_in_float32() -> Numbers:
    margin_map, weights = on_digits(torch.float32)
    rows = margin_map.rows(weights, torch.arange(10))
    return {
        "margins": margin_map.values(weights).flatten().tolist(),
        "gram": entries(rows.gram(), 12),
        "pullback": entries(rows.pullback(torch.full((10, 1), 0.1, dtype=torch.float64)), 7),
    }


@golden("homogeneity", "margin_map")
def of_homogeneity() -> Numbers:
    """A map with a degree deviates by rounding alone, which is not recorded; one that has none says how much."""
    found: Numbers = {}
    homogeneous, weights = three_classes()
    table = adapt.homogeneity(homogeneous, weights, (0.5, 2.0), seed=4)
    found["homogeneous: degrees"] = [*table["degree"], *table["estimated_degree"]]
    found["homogeneous: exact"] = str(bool((table["deviation"] < 1e-12).all()))
    network, _, _ = adapt.network({"name": "alexnet", "width": 0.125, "biases": True}, 3, 1)
    for degree in (6, None):
        images = normal(13, 4, 3, 32, 32)
        biased = adapt.network_map(network.double(), images, torch.ones(4, dtype=torch.float64), degree)
        table = adapt.homogeneity(biased, weights_for(biased, 14), (0.25, 0.8, 2.0, 4.0), seed=4)
        for column in ("degree", "estimated_degree", "deviation"):
            found[f"biased, declared {degree}: {column}"] = table[column].tolist()
    return found


@golden("batch_gradient", "margin_map", "losses", relative=3e-5)
def of_batch_gradient() -> Numbers:
    """In the network's precision, float32."""
    found: Numbers = {}
    for name, (margin_map, weights), loss in (
        ("two classes", on_digits(torch.float32), "logistic"),
        ("three classes", three_classes(torch.float32), "cross_entropy"),
    ):
        gradient = adapt.batch_gradient(margin_map, losses.get(loss), "float32")
        found[f"{name}: first batch"] = entries(gradient(weights, torch.arange(4)).clone(), 9)
        found[f"{name}: scaled"] = entries(gradient(weights, torch.tensor([7, 2, 5]), -30.0).clone(), 9)
    return found


# products of 8 bits (2⁻⁹ each), whose errors average out over a few hundred terms of the sums
@golden("batch_gradient", "margin_map", "losses", "network.alexnet", name="batch_gradient.bfloat16", relative=2e-2)
def of_batch_gradient_in_bfloat16() -> Numbers:
    found: Numbers = {}
    small, weights = three_classes(torch.float32)
    network, _, _ = adapt.network({"name": "alexnet", "width": 0.125}, 3, 1)
    images, labels = normal(25, 4, 3, 32, 32).float(), (-1.0) ** torch.arange(4, dtype=torch.float64)
    alexnet = adapt.network_map(network, images, labels, 6)
    for name, margin_map, at, loss in (
        ("small", small, weights, "cross_entropy"),
        ("alexnet", alexnet, weights_for(alexnet, 26), "logistic"),
    ):
        gradient = adapt.batch_gradient(margin_map, losses.get(loss), "bfloat16")
        values = gradient(at, torch.arange(len(margin_map.images))).clone()
        found[f"{name}: norm"] = float(values.double().norm())
        for block in margin_map.blocks:
            found[f"{name}, {block.name}"] = entries(values[block.start : block.stop], 5)
    return found


@golden("function_map", "jacobian")
def of_function_map() -> Numbers:
    x, weights, velocity = normal(15, 5, 3), normal(16, 12), normal(17, 12)

    def of_examples(flat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        out = torch.tanh(x @ flat.view(3, 4))
        return torch.stack([out.square().sum(1), out[:, 0] ** 3], 1)

    some, found = torch.tensor([0, 3]), {}
    for name, made in (
        ("with data", adapt.function_map(of_examples, 2, (x,))),
        ("without", adapt.function_map(lambda flat: of_examples(flat, x), 2)),
    ):
        margins, pullback = made.linearize(weights)
        rows = made.rows(weights, some)
        found |= {
            f"{name}: margins": made.values(weights).flatten().tolist(),
            f"{name}: those of some": rows.margins.flatten().tolist(),
            f"{name}: pullback": pullback(torch.softmax(margins, 0)).tolist(),
            f"{name}: gram": entries(rows.gram(), 9),
            f"{name}: jacobian": entries(made.jacobian(weights, some)[1].pullback(torch.ones(4).double()), 9),
            f"{name}: rates": made.rates(weights, velocity).flatten().tolist(),
        }
    return found


@golden("robustness", relative=1e-6)
def of_robustness() -> Numbers:
    """Distances to a curved boundary; the attack's steps go to and fro across it."""
    x, labels = normal(18, 6, 4), torch.tensor([0, 0, 0, 1, 1, 1])
    layers = [normal(19, 5, 4), normal(20, 2, 5)]

    def outputs(at: torch.Tensor) -> torch.Tensor:
        return torch.tanh(at @ layers[0].T) @ layers[1].T

    labels = outputs(x).argmax(1)
    labels[0] = 1 - labels[0]  # wrong already
    robustness = adapt.robustness()
    gaps = outputs(x)[:, 0] - outputs(x)[:, 1]
    return {
        "attacked": robustness.attacked(outputs, x, labels, 20).tolist(),
        "first order": robustness.first_order(outputs, x).tolist(),
        "certified": robustness.certified(gaps, layers).tolist(),
    }
