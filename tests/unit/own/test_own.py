"""A theorist's own network and data: what comes back, that it is the flow's, and each refusal in one line."""

import contextlib
import copy
import dataclasses
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_iris
from torch import nn
from torch.nn import functional

from dirconv import flow, losses
from dirconv.errors import UserError
from dirconv.goals import Stop
from dirconv.homogeneity import SCALES
from dirconv.margins.network import NetworkMap
from dirconv.options import modules, plugin
from dirconv.own import _checks, follow
from dirconv.own._isolation import exact

KEYS = {"learning_rate": 0.2, "batch": 20, "tau": 0.5}


def two_classes():
    """Iris, the second species against the third where a plane does not quite tell them apart, centred."""
    x, y = load_iris(return_X_y=True)
    return (x[30:80] - x.mean(0)) / x.std(0), (y[30:80] == 1).astype(int)


def network(*layers, inputs=4, hidden=12, outputs=1, bias=False, seed=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(inputs, hidden, bias=False), *layers, nn.Linear(hidden, outputs, bias=bias))


def relu_network(**options):
    return network(nn.ReLU(), **options)


class Shared(nn.Module):
    """Two layers with one weight: degree 3."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.inner, self.again, self.outer = (nn.Linear(4, outputs, bias=False) for outputs in (4, 4, 1))
        self.again.weight = self.inner.weight

    def forward(self, x):
        return self.outer(torch.relu(self.again(torch.relu(self.inner(x)))))


class Bare(nn.Module):
    """Parameters without layers; or with one that is never called. Degree 2."""

    def __init__(self, layer=False):
        super().__init__()
        torch.manual_seed(3)
        self.inner = nn.Linear(4, 8, bias=False) if layer else nn.Parameter(torch.randn(8, 4) / 2)
        self.outer = nn.Linear(8, 1, bias=False) if layer else nn.Parameter(torch.randn(1, 8) / 2)

    def forward(self, x):
        inner = getattr(self.inner, "weight", self.inner)
        hidden = torch.relu(x @ inner.T)
        return self.outer(hidden) if isinstance(self.outer, nn.Linear) else hidden @ self.outer.T


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.fixture(scope="module")
def data():
    return two_classes()


@pytest.fixture(scope="module")
def run(data):
    return follow(relu_network(), *data, degree=2, test=data, **KEYS)


def test_ten_lines(run, data):
    assert run.stop == "tau"
    assert run.direction.dtype == torch.float64
    assert run.direction.shape == (60,)
    assert float(run.direction.norm()) == pytest.approx(1, abs=1e-14)
    assert {name: tuple(part.shape) for name, part in run.parameters().items()} == {
        "0.weight": (12, 4),
        "2.weight": (1, 12),
    }
    assert torch.equal(torch.cat([part.flatten() for part in run.parameters(run.weights).values()]), run.weights)
    path = run.path
    assert {"step", "tau", "zeta", "cos", "cos_point", "ln_risk", "smoothed_margin"} <= set(path)
    assert path["tau"].iloc[[0, -1]].tolist() == pytest.approx([0, 0.5], abs=1e-12)
    assert path["ln_risk"].iloc[0] < losses.get("logistic").ln_at_zero
    assert run.margins["example"].nunique() == len(data[0])
    assert "tau" in repr(run)
    assert "τ reached its goal" in repr(run)
    assert len(repr(run).splitlines()) == 1


def test_the_package_offers_follow_without_importing_torch():
    code = "import sys, dirconv; assert 'torch' not in sys.modules; from dirconv.own import follow; "
    code += "assert dirconv.follow is follow; assert not hasattr(dirconv, 'folow')"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_margins_are_those_of_the_network_at_the_end(run, data):
    weights = run.parameters(run.weights)
    x, y = torch.as_tensor(data[0]).float().double(), torch.as_tensor(data[1])  # what float32 sees
    out = torch.relu(x @ weights["0.weight"].T) @ weights["2.weight"].T
    expected = (2 * y - 1) * out[:, 0] / run.weights.norm() ** 2
    last = run.margins[run.margins["snapshot"] == run.margins["snapshot"].max()]
    np.testing.assert_allclose(last["by_norm"], expected.numpy(), rtol=1e-5)


def test_it_is_the_flow_of_the_library(run, data):
    """From the weights where SGD stopped, `flow.follow` on a map made by hand takes the same steps, up to rounding."""
    x, y = torch.as_tensor(data[0]).float(), 2.0 * torch.as_tensor(data[1]).double() - 1
    found = NetworkMap(relu_network(), x, y, 2)
    start = run.trajectory.weights[0] * run.path["norm"].iloc[0]
    spec = flow.specification({"method": "bundle"}, "flow")
    state = flow.State.at_start(start.clone())
    events = list(flow.follow(found, losses.get("logistic"), spec, Stop(tau=0.5), state))
    end = events[-1].step
    torch.testing.assert_close(end.state.weights / end.state.weights.norm(), run.direction, rtol=0, atol=1e-11)
    np.testing.assert_allclose([event.step.ln_risk for event in events], run.path["ln_risk"], rtol=1e-10)
    assert sum(event.snapshot for event in events) == len(run.trajectory.weights)


def test_the_networks_own_precision_and_another_seed(data):
    single, double = (follow(relu_network().to(kind), *data, degree=2, **KEYS) for kind in (torch.float, torch.double))
    assert single.trajectory.train.images.dtype == torch.float32
    assert double.trajectory.train.images.dtype == torch.float64
    assert single.direction.dtype == double.direction.dtype == torch.float64
    again, other = (follow(relu_network(), *data, degree=2, seed=seed, **KEYS) for seed in (0, 1))
    assert torch.equal(again.direction, single.direction)
    assert not torch.equal(other.direction, single.direction)


def test_what_was_given_is_not_changed(data):
    given = network(nn.BatchNorm1d(12), nn.Dropout(0.5), nn.ReLU()).eval()
    before, random = copy.deepcopy(given.state_dict()), torch.get_rng_state()
    images, labels = torch.as_tensor(data[0]).float(), torch.as_tensor(data[1])
    kept = images.clone()
    follow(given, images, labels, degree=None, learning_rate=0.2, steps=3)
    assert all(torch.equal(value, before[key]) for key, value in given.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in given.parameters())
    assert torch.equal(images, kept)
    assert torch.equal(torch.get_rng_state(), random)
    fresh = relu_network()
    follow(fresh, images, labels, degree=2, steps=3, **{**KEYS, "tau": 9.0})
    assert fresh.training
    uncalled = Bare(layer=True)
    follow(uncalled, images, labels, degree=2, steps=2, learning_rate=0.2, batch=20, epochs=2000)
    assert type(uncalled.inner) is nn.Linear


@pytest.mark.parametrize("labels", [lambda y: y, lambda y: 2 * y - 1, lambda y: (2.0 * y - 1)[:, None].tolist()])
def test_labels_of_two_classes(run, data, labels):
    assert torch.equal(follow(relu_network(), data[0], labels(data[1]), degree=2, **KEYS).direction, run.direction)


def test_several_classes_and_images_of_any_shape():
    x, y = load_iris(return_X_y=True)
    x, y = ((x - x.mean(0)) / x.std(0))[::4].reshape(-1, 2, 2), y[::4]
    module = nn.Sequential(nn.Flatten(), *relu_network(hidden=30, outputs=3))
    found = follow(module, x, y, degree=2, loss="cross_entropy", learning_rate=0.1, batch=10, tau=0.3)
    assert found.stop == "tau"
    assert found.trajectory.train.values(found.weights).shape == (len(x), 2)


def test_without_a_degree(data):
    module = relu_network(bias=True)
    found = follow(module, *data, degree=None, learning_rate=0.2, log_inverse_risk=4.0)
    assert found.stop == "log_inverse_risk"
    assert found.path["smoothed_margin"].isna().all()
    assert found.path["ln_risk"].iloc[-1] <= -4
    assert found.path["step_size"].iloc[1:].gt(0).all()


def test_a_classified_start_is_not_trained(run, data):
    module = relu_network()
    with torch.no_grad():
        for name, value in run.parameters(run.weights).items():
            module.get_parameter(name).copy_(value)
    for train in (True, False):
        found = follow(module, *data, degree=2, train=train, steps=2)
        assert len(found.table("training")) == 1
        assert found.stop == "steps"
        start = run.weights.float().double()
        torch.testing.assert_close(found.trajectory.weights[0], start / start.norm(), rtol=0, atol=0)


@pytest.mark.parametrize("method", ["descent", "rk4"])
def test_another_method(data, method):
    found = follow(relu_network(), *data, degree=2, flow={"method": method}, steps=4, learning_rate=0.2)
    assert found.stop == "steps"
    assert found.record["specification"]["flow"]["method"] == method
    assert found.figure("alignment").axes


# one step each: what is given is what is meant, to the last bit
ONE = {"degree": 2, "learning_rate": 0.2, "batch": 20, "flow": {"method": "descent"}, "steps": 1}


@pytest.fixture(scope="module")
def one_step(data):
    return follow(relu_network(), *data, **ONE).direction


@pytest.mark.parametrize(
    "given",
    [
        lambda x, y: (pd.DataFrame(x), pd.DataFrame({"y": y})),
        lambda x, y: (pd.DataFrame(x).astype("Float64"), pd.Series(y, index=range(100, 150), dtype="Int64")),
        lambda x, y: (pd.DataFrame(x).astype(object), pd.Series(y).astype("category")),
        lambda x, y: (np.asfortranarray(x[::-1])[::-1], y[::-1].copy()[::-1]),
        lambda x, y: (x.astype(">f8"), y.astype(">i4")),
        lambda x, y: (x.astype(np.longdouble), y.astype(np.uint32)),
        lambda x, y: ([torch.tensor(row) for row in x], y == 1),
        lambda x, y: (torch.tensor(x, requires_grad=True).to_sparse(), torch.tensor(y)),
        lambda x, y: (np.ma.masked_array(x, False), tuple(y.tolist())),
    ],
)
def test_data_of_every_kind(data, one_step, given):
    assert torch.equal(follow(relu_network(), *given(*data), **ONE).direction, one_step)


def test_numpys_numbers_as_options(data, one_step):
    options = {"degree": np.int64(2), "seed": np.uint8(0), "epochs": np.int32(400), "steps": np.int64(1)}
    flow_options = {"method": "descent", "tolerance": np.float64(1e-3)}
    found = follow(relu_network(), *data, **{**ONE, **options, "batch": np.int16(20), "flow": flow_options})
    assert torch.equal(found.direction, one_step)
    assert type(found.record["specification"]["seed"]) is type(found.record["specification"]["degree"]) is int


class Keeps(nn.Module):
    """Keeps its last output, as networks do that log or visualize."""

    def __init__(self):
        super().__init__()
        self.layers, self.seen = relu_network(), []

    def forward(self, x):
        self.seen = [self.layers(x)]
        return self.seen[0]


def called(module):
    module(torch.ones(2, 4))
    return module


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: nn.DataParallel(relu_network()), id="DataParallel"),
        pytest.param(lambda: torch.compile(relu_network()), id="torch.compile"),
        pytest.param(lambda: called(Keeps()), id="keeps its output"),
    ],
)
@pytest.mark.parametrize("method", ["descent", "bundle"])
def test_networks_in_wrappers_and_networks_that_keep_what_they_computed(data, one_step, make, method):
    found = follow(make(), *data, **{**ONE, "flow": {"method": method}})
    assert found.stop == "steps"
    assert method == "bundle" or torch.equal(found.direction, one_step)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_the_older_weight_normalization_is_that_of_parametrizations(data):
    older, newer = nn.utils.weight_norm, nn.utils.parametrizations.weight_norm
    first, second = (follow(normalize_layers(each), *data, **ONE) for each in (older, newer))
    torch.testing.assert_close(first.direction, second.direction, rtol=0, atol=1e-12)


def normalize_layers(normalize):
    layers = relu_network()
    return nn.Sequential(normalize(layers[0]), layers[1], normalize(layers[2]))


@pytest.mark.parametrize("method", ["bundle", "proximal"])
def test_a_bounded_output_ends_the_flow_where_its_gradient_vanishes(data, method):
    bounded = nn.Sequential(relu_network(), Lambda(lambda z: 20 * torch.tanh(z)))
    found = follow(bounded, *data, **{**ONE, "degree": None, "flow": {"method": method}, "epochs": 2000, "steps": 60})
    assert found.stop == "step_underflow"


def test_frozen_parameters_are_constants(data):
    module = relu_network(hidden=40)
    module[2].weight.requires_grad_(False)
    found = follow(module, *data, degree=1, epochs=2000, **KEYS)
    assert list(found.parameters()) == ["0.weight"]
    assert found.direction.shape == (160,)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(relu_network, id="layers"),
        pytest.param(Shared, id="shared weights"),
        pytest.param(Bare, id="no layers"),
        pytest.param(lambda: Bare(layer=True), id="a layer that is not called"),
        pytest.param(
            lambda: nn.Sequential(
                nn.Unflatten(1, (2, 2)),
                nn.Flatten(0, 1),
                nn.Linear(2, 6, bias=False),
                nn.Unflatten(0, (-1, 2)),
                nn.Flatten(),
                relu_network(inputs=12),
            ),
            id="positions among the examples",
        ),
        pytest.param(lambda: relu_network(bias=True).requires_grad_(False).append(nn.Linear(1, 1)), id="frozen layers"),
    ],
)
def test_gradients_are_compared_rightly(data, make):
    own, dtype = _checks.copied(make().double())
    found = _checks.comparable(NetworkMap(own, torch.as_tensor(data[0]), torch.ones(len(data[0])).double(), None))
    rows = found.rows(found.flatten(), torch.arange(6))
    jacobian = torch.stack([rows.pullback(unit[:, None]) for unit in torch.eye(6, dtype=dtype)])
    torch.testing.assert_close(rows.gram(), jacobian @ jacobian.T, rtol=1e-10, atol=1e-10)


OF_NETWORKS = [
    name
    for name in modules("figures")
    if not plugin("figures", name, "").FIGURE.problems
    and set(plugin("figures", name, "").FIGURE.tables) <= set(modules("measures"))
]


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_figures(run, name):
    assert isinstance(run.figure(name), Figure)


@pytest.mark.parametrize("name", modules("measures"))
def test_measures_of_something_else_than_images_in_something_else_than_layers(data, name):
    found = follow(Bare(), *data, degree=2, steps=3, learning_rate=0.2, batch=20, epochs=2000, test=data)
    assert len(found.table(name))


def test_the_certificate_is_that_of_the_end(run, data):
    found = run.kkt()
    assert torch.equal(found.theta, run.direction)
    assert found.tau == run.path["tau"].iloc[-1]
    assert found.distance == 0
    # by its definition, from a network of which nothing but the parameters is taken
    module = relu_network().double()
    for name, value in run.parameters(found.theta / found.margin**0.5).items():
        module.get_parameter(name).data = value.clone()
    x, y = torch.as_tensor(data[0]).double(), 2.0 * torch.as_tensor(data[1]) - 1
    margins = y * module(x.float().double())[:, 0]
    assert float(margins.detach().min()) == pytest.approx(1, rel=1e-12)
    (found.multipliers @ margins).backward()
    residual = torch.cat([(each - each.grad).flatten() for each in module.parameters()])
    # on kinks gradients of all their sides do better than those of one with the same multipliers
    assert found.radius > 0
    assert 0.9 * float(residual.detach().norm()) < found.epsilon < float(residual.detach().norm())
    assert found.delta == pytest.approx(float((found.multipliers * (margins.detach() - 1)).max()), abs=1e-12)
    assert found.support.tolist() == found.multipliers.nonzero().flatten().tolist()
    assert repr(found).startswith("<KKT: epsilon = ")


class Squared(nn.Module):
    def forward(self, z):
        return z.relu().square()


def test_a_smooth_network_is_followed_by_newtons_method_to_a_kkt_point(data):
    found = follow(network(Squared()), *data, degree=3, **KEYS)
    polished = found.kkt(polish=True)
    assert polished.epsilon_relative < 1e-10
    assert polished.margin > found.kkt().margin
    assert polished.distance == pytest.approx(float(torch.acos(polished.theta @ found.direction)), abs=1e-7)
    assert "rad from the run's end" in repr(polished)


def test_where_there_is_no_kkt_point_to_be_found_it_is_said_in_one_line(run, data):
    with pytest.raises(UserError, match=r"^polish: no KKT point was reached, the residual is [^\n]*; it takes a"):
        run.kkt(polish=True)
    without = follow(relu_network(bias=True), *data, degree=None, learning_rate=0.2, steps=2)
    with pytest.raises(UserError, match=r"^kkt: a network without a degree has no hard-margin problem"):
        without.kkt()


def test_a_figure_of_something_else_is_refused_in_one_line(run):
    with pytest.raises(UserError, match="figure: starts shows start, which is no measure of a run"):
        run.figure("starts")


def test_figures_of_several_runs_and_their_files(run, data, tmp_path):
    other = follow(relu_network(seed=4), *data, degree=2, name="another", **KEYS)
    figure = run.figure("path_length", other)
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["Sequential", "Sequential (another)"]
    run.plot(tmp_path / "alignment.png")
    run.plot(tmp_path / "risk.pdf", "risk", other)
    assert {path.name for path in tmp_path.iterdir()} == {"alignment.png", "risk.pdf"}
    with pytest.raises(UserError, match="figure: two runs are called Sequential/seed0"):
        run.figure("alignment", run)


def test_runs_on_other_data_are_not_compared_as_if_they_were_the_same(run, data):
    loose = follow(relu_network(), data[0], data[1], degree=2, name="loose", flow={"tolerance": 0.1}, **KEYS)
    elsewhere = follow(
        relu_network(), data[0][1:], data[1][1:], degree=2, name="loose", flow={"tolerance": 0.1}, **KEYS
    )
    starts = [one.record["specification"]["start"] for one in (run, loose, elsewhere)]
    assert starts[0] == starts[1] != starts[2]


def test_a_network_is_checked_at_the_scales_of_a_studys_check(run):
    assert run.table("homogeneity")["scale"].tolist() == list(SCALES)


def settings():
    """All that `exact` changes."""
    backends = torch.backends
    multiplying = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
    modes = torch.is_autocast_enabled("cpu"), torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    return [*(each.fp32_precision for each in multiplying), *modes, torch.get_default_dtype()]


def test_lower_precisions_are_off_meanwhile_and_then_as_they_were():
    before = settings()
    with pytest.raises(ZeroDivisionError), exact():
        assert settings()[:4] == ["ieee"] * 4
        raise ZeroDivisionError
    assert settings() == before


@contextlib.contextmanager
def everything_set():
    torch.set_default_dtype(torch.float64)
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta"), torch.inference_mode():
            yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.backends.mkldnn.matmul.fp32_precision = "none"


def test_what_the_caller_has_set_moves_no_number(run, data):
    module = relu_network()
    with everything_set():
        before = settings()
        found = follow(module, *data, degree=2, test=data, **KEYS)
        margins = found.margins
        assert settings() == before
    assert torch.equal(found.direction, run.direction)
    pd.testing.assert_frame_equal(margins, run.margins)


# Refusals ------------------------------------------------------------------------------------------------------------

NOTHING = np.zeros((0, 4)), np.zeros(0)


def filled(module, value):
    for parameter in module.parameters(recurse=False):
        nn.init.constant_(parameter, value)


def replaced(data, index, value):
    x, y = np.array(data[0], dtype=float), np.array(data[1], dtype=float)
    (x if index == 0 else y)[0] = value
    return x, y


REFUSED = {
    "scripted": (lambda d: (torch.jit.script(relu_network()), *d), {}, r"network: it is a .*Script.*; give the module"),
    "a part that is scripted": (
        lambda d: (nn.Sequential(torch.jit.script(relu_network())), *d),
        {},
        r"network: its part 0 is a .*; give the module",
    ),
    "lazy": (lambda d: (nn.Sequential(nn.LazyLinear(1, bias=False)), *d), {}, r"network: 0\.weight has no shape yet"),
    "no values": (lambda d: (relu_network().to("meta"), *d), {}, r"network: 0\.weight has no values"),
    "weights that are not finite": (
        lambda d: (relu_network().requires_grad_(False).apply(lambda m: filled(m, math.nan)).requires_grad_(), *d),
        {},
        r"network: 0\.weight has numbers that are not finite",
    ),
    "dead": (
        lambda d: (relu_network().requires_grad_(False).apply(lambda m: filled(m, 0.0)).requires_grad_(), *d),
        {},
        r"network: its outputs are zero at its own weights",
    ),
    "a copy that fails": (
        lambda d: (nn.Sequential(relu_network(), Lambda(open(__file__, encoding="utf-8"))), *d),  # noqa: SIM115
        {},
        r"network: cannot be copied",
    ),
    "straight through": (
        lambda d: (network(Lambda(lambda z: z + (z.relu() - z).detach())), *d),
        {"epochs": 2000},
        r"^gradient: it is not the derivative of the margins: .*Euler",
    ),
    "complex": (lambda d: (relu_network(), d[0].astype(complex), d[1]), {}, r"images: .*real numbers, got ndarray"),
    "masked": (lambda d: (relu_network(), np.ma.masked_less(d[0], 0), d[1]), {}, r"images: .*got MaskedArray"),
    "a missing label": (
        lambda d: (relu_network(), d[0], pd.array([None, *d[1][1:]], dtype="Int64")),
        {},
        r"labels: must be a tensor or an array of real numbers, got IntegerArray",
    ),
    "seed": (lambda d: (relu_network(), *d), {"seed": None}, r"seed: must be a whole number from 0 .*, got None$"),
    "a large seed": (lambda d: (relu_network(), *d), {"seed": 2**70}, r"seed: must be a whole number from 0 to 2⁶³"),
    "a degree that is a flag": (lambda d: (relu_network(), *d), {"degree": True}, r"degree: must be a whole number"),
    "train": (lambda d: (relu_network(), *d), {"train": "no"}, r"train: must be True or False, got 'no'$"),
    "method alone": (lambda d: (relu_network(), *d), {"flow": "bundle"}, r"flow: must be a mapping .*got 'bundle'$"),
    "test images alone": (
        lambda d: (relu_network(), *d),
        {"test": np.zeros((3, 4))},
        r"test: must be a pair, \(images, labels\)$",
    ),
    "another degree": (lambda d: (relu_network(), *d), {"degree": 3}, r"degree: declared 3, .* declare degree=2$"),
    "no degree": (lambda d: (relu_network(bias=True), *d), {}, r"degree: declared 2, .* declare None$"),
    "no such degree": (lambda d: (relu_network(), *d), {"degree": 0}, r"degree: must be a whole number above zero"),
    "part of a degree": (lambda d: (relu_network(), *d), {"degree": 1.5}, r"degree: must be a whole number above zero"),
    "batch statistics": (lambda d: (network(nn.BatchNorm1d(12)), *d), {"degree": None}, r"network: .*\.eval\(\) first"),
    "dropout": (lambda d: (network(nn.Dropout(0.5)), *d), {}, r"network: .*call network\.eval\(\) first"),
    "a dropout that is no module": (
        lambda d: (network(Lambda(lambda x: functional.dropout(x, 0.5))), *d),
        {},
        r"network: (answers differently|its answer for an example depends)",
    ),
    "untracked batch statistics": (
        lambda d: (network(nn.BatchNorm1d(12, track_running_stats=False)).eval(), *d),
        {"degree": None},
        r"network: its answer for an example depends on the other examples",
    ),
    "a function": (lambda d: (torch.relu, *d), {}, r"network: must be a torch\.nn\.Module"),
    "no parameters": (lambda d: (nn.Flatten(), *d), {}, r"network: .*got none that require a gradient"),
    "frozen": (lambda d: (relu_network().requires_grad_(False), *d), {}, r"network: .*got none that require"),
    "half": (lambda d: (relu_network().half(), *d), {}, r"network: .*float32 or all float64, got torch\.float16"),
    "other images": (lambda d: (relu_network(inputs=5), *d), {}, r"network: cannot take images of shape \(50, 4\)"),
    "one number an example": (
        lambda d: (nn.Sequential(relu_network(), nn.Flatten(0)), *d),
        {},
        r"network: must answer \(n, 1\) or \(n, K\) to n = 50 images, answered \(50,\)$",
    ),
    "no vmap": (
        lambda d: (nn.Sequential(Shared(), Lambda(lambda x: x * (1 if float(x.detach().sum()) > 1e9 else 2))), *d),
        {"degree": 3},
        r'network: its gradients cannot be taken .*flow=\{"method": "descent"\}$',
    ),
    "no data": (lambda d: (relu_network(), *NOTHING), {}, r"images: there are none"),
    "not finite": (lambda d: (relu_network(), *replaced(d, 0, np.nan)), {}, r"images: some .* are not finite"),
    "text": (
        lambda d: (relu_network(), d[0], ["a"] * 50),
        {},
        r"labels: must be a tensor or an array of real numbers, got list",
    ),
    "too few labels": (
        lambda d: (relu_network(), d[0], d[1][1:]),
        {},
        r"labels: must be one for each example, .*\(49,\)",
    ),
    "other labels": (
        lambda d: (relu_network(), *replaced(d, 1, 2)),
        {},
        r"labels: must be ±1, or 0 and 1, .* got 0, 1, 2$",
    ),
    "mixed labels": (lambda d: (relu_network(), *replaced(d, 1, -1)), {}, r"labels: must be ±1, or 0 and 1"),
    "no class": (
        lambda d: (relu_network(outputs=3), *replaced(d, 1, 3)),
        {},
        r"labels: must be 0 … 2 for 3 outputs, got",
    ),
    "half a class": (lambda d: (relu_network(outputs=3), *replaced(d, 1, 0.5)), {}, r"labels: must be 0 … 2"),
    "test images": (
        lambda d: (relu_network(), *d),
        {"test": (np.zeros((3, 5)), np.zeros(3))},
        r"test images: must each be shaped \(4,\)",
    ),
    "test labels": (
        lambda d: (relu_network(), *d),
        {"test": (np.zeros((3, 4)), np.full(3, 7))},
        r"test labels: must be ±1",
    ),
    "not classified": (lambda d: (relu_network(), *d), {"train": False}, r"train: ln ℒ = .* is not below ln ℓ\(0\)"),
    "out of epochs": (lambda d: (relu_network(), *d), {"epochs": 1}, r"epochs: ln ℒ = .* is not below .* after 1;"),
    "not separable": (lambda d: (relu_network(), np.ones((50, 4)), d[1]), {"epochs": 20}, r"epochs: .* after 20;"),
    "diverged": (
        lambda d: (relu_network(), *d),
        {"learning_rate": 1e200},
        r"learning_rate: training diverged in epoch 1",
    ),
    "option of SGD": (
        lambda d: (relu_network(), *d),
        {"momentum": 1.0},
        r"follow\.momentum: must be at least 0 and below 1",
    ),
    "goal": (lambda d: (relu_network(), *d), {"tau": -1.0}, r"follow\.tau: must be above zero"),
    "loss": (
        lambda d: (relu_network(), *d),
        {"loss": "logistik"},
        r"loss: unknown 'logistik'; did you mean 'logistic'",
    ),
    "method": (lambda d: (relu_network(), *d), {"flow": {"method": "descend"}}, r"flow\.method: unknown 'descend'"),
    "option of the method": (
        lambda d: (relu_network(), *d),
        {"flow": {"tolerence": 1}},
        r"flow\.tolerence: unknown key",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_one_line_that_names_the_argument(data, case):
    arguments, options, message = REFUSED[case]
    with pytest.raises(UserError, match=message) as refusal:
        follow(*arguments(data), **{"degree": 2, **KEYS, **options})
    assert len(str(refusal.value).splitlines()) == 1


def test_tables_that_are_not_there(data):
    found = follow(relu_network(), *data, degree=2, steps=1, **{**KEYS, "tau": math.inf})
    assert found.table("training")["test_error"].isna().all()
    with pytest.raises(UserError, match=r"errors: there are no test data; give follow test=\(images, labels\)"):
        found.figure("errors")
    with pytest.raises(UserError, match="table: unknown 'margin'; did you mean 'margins'"):
        found.table("margin")
    with pytest.raises(UserError, match="figure: unknown 'alignement'; did you mean 'alignment'"):
        found.figure("alignement")


def test_rows_hold_every_field_of_a_step(run):
    assert {field.name for field in dataclasses.fields(flow.Step)} - {"state"} <= set(run.path)
