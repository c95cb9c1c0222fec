"""Jobs on a GPU, a pretended one where there is none (tests/helpers/pretended.py): devices, waiting, graphs."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from pretended import pretended
from torch import nn

from dirconv import artifacts, losses, models, training
from dirconv.errors import Unfinished
from dirconv.margins._captured import Captured
from dirconv.margins.batch import BatchGradient
from dirconv.margins.network import NetworkMap
from dirconv.options import Train
from dirconv.own import follow as follow_own
from dirconv.stages import _device, data, flow, homogeneity, measure, probe, train
from dirconv.study import validate

ROOT = Path(__file__).parents[3]
NETWORKS = [
    ({"name": "alexnet", "width": 0.125}, 1),
    ({"name": "alexnet", "width": 0.125}, 4),
    ({"name": "densenet", "depth": 10, "growth": 4}, 1),
]


class TestThePretence:
    """It refuses what a GPU refuses: else nothing below would say anything."""

    def test_devices_do_not_mix(self):
        with pretended():
            there, here = torch.ones(3, device="cuda"), torch.ones(3)
            assert there.device.type == "cuda" and here.device.type == "cpu" and (2 * there)[1:].is_cuda
            assert (there * torch.tensor(2.0)).tolist() == [2.0] * 3  # a number may come from anywhere
            for mixed in (lambda: there + here, lambda: torch.cat([there, here]), lambda: here[there.long()]):
                with pytest.raises(RuntimeError, match=r"same device|on the GPU"):
                    mixed()
            with pytest.raises(TypeError, match="numpy"):
                there.numpy()
            assert (there.cpu() + here).tolist() == (there + here.to("cuda")).tolist() == [2.0] * 3

    def test_what_torch_makes_in_a_backward_pass_goes_with_either(self):
        with pretended():
            leaf = torch.ones(3, device="cuda", requires_grad=True)
            first, _ = leaf.split([1, 2])
            assert torch.autograd.grad(first.sum(), leaf)[0].is_cuda
            jvp = torch.func.jvp(lambda x: x.double() * leaf.detach(), (leaf.detach(),), (leaf.detach(),))
            assert all(part.is_cuda for part in jvp)

    @pytest.mark.parametrize(
        "function",
        [
            lambda x: x * float(x.sum()),
            lambda x: x[x > 0],
            lambda x: x * torch.tensor([1.0, 2.0], device="cuda"),
            lambda x: x.cpu(),
        ],
    )
    def test_a_graph_neither_waits_nor_hears_from_the_host(self, function):
        with pretended() as gpu, pytest.raises(RuntimeError, match="while a graph is recorded"):
            Captured(function)(torch.ones(2, device="cuda"))
        assert gpu.tape is None

    def test_a_replay_runs_operations_and_no_python(self):
        calls, kept = [], torch.zeros(2)
        with pretended():
            kept = kept.to("cuda")

            def function(x):
                calls.append(x)
                kept.add_(1)
                return x * kept + len(calls)  # len(calls) is a number of the recording

            captured = Captured(function)
            first = captured(torch.ones(2, device="cuda")).clone()
            once = len(calls)
            second = captured(torch.full((2,), 3.0, device="cuda"))
            assert len(calls) == once and kept.tolist() == [once + 2] * 2
            assert first.tolist() == [once + 1 + once] * 2 and second.tolist() == [3 * (once + 2) + once] * 2


def margin_map(options, outputs, device, n=24):
    generator = torch.Generator().manual_seed(0)
    spec = models.from_options(options)
    images = torch.randn(n, 3, 32, 32, generator=generator).to(device)
    labels = torch.arange(n) % outputs if outputs > 1 else 1.0 - 2.0 * (torch.arange(n) % 2)
    network = models.create(spec, 3, outputs, torch.Generator().manual_seed(1)).to(device)
    return NetworkMap(network, images, labels.to(device), spec.degree, spec.coupled, chunk=12)


@pytest.mark.parametrize("arithmetic", ["float32", "bfloat16"])
@pytest.mark.parametrize(("options", "outputs"), NETWORKS)
def test_replayed_gradients_are_the_plain_ones_to_the_bit(options, outputs, arithmetic, monkeypatch):
    loss = losses.get("cross_entropy" if outputs > 1 else "logistic")
    with pretended():
        found = margin_map(options, outputs, "cuda")
        replayed = BatchGradient(found, loss, arithmetic)
        for scale, members, ln_scale in ((1.0, range(12), 0.0), (1.5, range(6, 18), -3.0), (0.7, range(5), 2.0)):
            arguments = (scale * found.flatten(), torch.tensor(list(members), device="cuda"), ln_scale)
            got = replayed(*arguments).clone()
            with monkeypatch.context() as patched:
                patched.setenv("DIRCONV_CUDA_GRAPHS", "0")
                expected = BatchGradient(found, loss, arithmetic)(*arguments)
            torch.testing.assert_close(got.cpu(), expected.cpu(), rtol=0, atol=0)


@pytest.mark.parametrize(("options", "outputs"), NETWORKS)
def test_an_epoch_of_sgd_never_waits_and_trains_as_on_a_cpu(options, outputs):
    loss = losses.get("cross_entropy" if outputs > 1 else "logistic")
    chosen = Train(learning_rate=0.01, batch=8, epochs=2)

    def trained(device):
        found = margin_map(options, outputs, device)
        *_, state = training.epochs(found, loss, chosen, training.start(found.flatten(), 0))
        return state.weights

    with pretended() as gpu:
        there = trained("cuda")
        assert gpu.waits == 0
        there = there.cpu()
    torch.testing.assert_close(there, trained("cpu"), rtol=0, atol=1e-5)


ALEXNET = {"name": "alexnet", "width": 0.125}
DENSENET = {"name": "densenet", "depth": 10, "growth": 3}
RUNS = {
    "alexnet": {
        "model": ALEXNET,
        "train": {"learning_rate": 0.02, "batch": 10},
        "flow": {"method": "proximal", "tolerance": 0.2},
        "stop": {"steps": 4},
        "chunk": 12,
        "probes": ["degree", "generalization"],
    },
    "ten": {
        "data": "ten",
        "loss": "cross_entropy",
        "model": ALEXNET,
        "train": {"learning_rate": 0.01, "batch": 10},
        "flow": {"method": "proximal", "tolerance": 0.2},
        "stop": {"steps": 3},
    },
    "densenet": {
        "model": DENSENET,
        "train": {"learning_rate": 0.1, "batch": 10, "arithmetic": "bfloat16"},
        "flow": {"method": "sgd", "rate": 1e-4, "arithmetic": "bfloat16"},
        "stop": {"steps": 3},
        "chunk": 10,
    },
    "frozen": {
        "model": DENSENET,
        "train": {"learning_rate": 0.1, "batch": 10},
        "frozen": True,
        "flow": {"method": "proximal", "tolerance": 0.2},
        "stop": {"steps": 3},
        "chunk": 10,
    },
    "bundle": {
        "model": ALEXNET,
        "train": {"learning_rate": 0.02, "batch": 10},
        "flow": {"method": "bundle", "tolerance": 0.2},
        "stop": {"steps": 6},
        "chunk": 12,
        "probes": ["kkt"],
    },
    "bundle_ten": {
        "data": "ten",
        "loss": "cross_entropy",
        "model": ALEXNET,
        "train": {"learning_rate": 0.01, "batch": 10},
        "flow": {"method": "bundle", "tolerance": 0.2},
        "stop": {"steps": 3},
    },
    "bundle_smooth": {
        "model": {**ALEXNET, "activation": "smooth"},
        "train": {"learning_rate": 0.05, "batch": 10},
        "flow": {"method": "bundle", "tolerance": 0.2},
        "stop": {"steps": 3},
    },
    "bundle_batches": {  # batch statistics couple the examples
        "model": DENSENET,
        "train": {"learning_rate": 0.1, "batch": 10},
        "flow": {"method": "bundle", "tolerance": 0.2},
        "stop": {"steps": 3},
        "chunk": 10,
    },
    "descent": {
        "model": ALEXNET,
        "train": {"learning_rate": 0.01, "epochs": 1},
        "flow": {"method": "descent", "tolerance": 1e-5},
        "stop": {"steps": 5},
    },
}


@pytest.fixture(scope="module")
def study():
    digits = {"source": "digits", "train": 20, "test": 10}
    return validate.validated(
        {
            "study": "pretended",
            "title": "On a GPU that is not there",
            "registry": str(ROOT / "config" / "claims.yaml"),
            "data": {
                "digits": {**digits, "classes": {"negative": [0, 2, 4, 6, 8], "positive": [1, 3, 5, 7, 9]}},
                "ten": {**digits, "classes": [str(digit) for digit in range(10)]},
            },
            "runs": {name: {"data": "digits", **run} for name, run in RUNS.items()},
        },
        "study",
    )


@pytest.fixture
def follow(study, tmp_path, monkeypatch):
    """Runs one run's jobs on a device, train and flow in pieces: their folder."""
    monkeypatch.setenv("DIRCONV_CHECKPOINT_SECONDS", "0")

    def pieces(job, *arguments):
        for seconds in (0, 0, None):
            try:
                return job(*arguments, seconds=seconds)
            except Unfinished:
                pass

    def run(name, device):
        options = study.file.runs[name]
        split, check, folder = tmp_path / options.data, tmp_path / f"{name}-check", tmp_path / f"{name}-{device}"
        spec = {**study.specifications.flow(name, 0), "device": device}
        if not split.exists():
            data.run(study.specifications.data(options.data), split, options.data)
            homogeneity.run(study.specifications.network(name, 0), check)
        start, path, places = folder / "start", folder / "path", (folder / "checkpoints", folder / "log.txt")
        pieces(train.run, {**study.specifications.train(name, 0), "device": device}, split, check, start, *places)
        pieces(flow.run, spec, split, start, path, *places)
        measure.run(spec, split, start, path, folder / "measures")
        for asked in options.probes:
            probe.run({**spec, "probe": asked}, split, start, path, folder / asked)
        return folder

    yield run
    for handle in _device._held.values():
        os.close(handle)
    _device._held.clear()


@pytest.mark.parametrize("name", RUNS)
def test_every_job_runs_where_the_gpu_is(follow, name):
    with pretended() as gpu:
        folder = follow(name, "cuda")
        assert gpu.waits  # it was the GPU that was asked
    manifest = artifacts.read_manifest(folder / "measures")
    assert manifest["made_by"]["machine"]["device"] == "pretended" and manifest["stop"] == "steps"
    path = artifacts.read_table(folder / "measures" / "path.parquet")
    assert len(path) == RUNS[name]["stop"]["steps"] + 1 and np.isfinite(path[["ln_risk", "norm", "cos"]]).all(axis=None)


def test_a_flow_is_that_of_a_cpu(follow):
    with pretended():
        there = follow("descent", "cuda")
    here = follow("descent", "cpu")
    one, other = (artifacts.read_table(folder / "measures" / "path.parquet") for folder in (there, here))
    np.testing.assert_allclose(one[["ln_risk", "zeta", "cos"]], other[["ln_risk", "zeta", "cos"]], rtol=1e-4)


@pytest.mark.parametrize(
    ("outputs", "degree", "loss"), [(1, 2, "logistic"), (1, None, "logistic"), (3, 2, "cross_entropy")]
)
def test_a_network_of_ones_own_is_followed_where_its_images_are(outputs, degree, loss):
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(20, 6, generator=generator), torch.arange(20) % max(outputs, 2)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 20, bias=degree is None), nn.ReLU(), nn.Linear(20, outputs, bias=False))
    with pretended():
        images, labels = images.to("cuda"), labels.to("cuda")
        test = (images[:5], labels[:5])
        run = follow_own(network, images, labels, degree=degree, loss=loss, tau=0.1, learning_rate=0.2, test=test)
        assert run.direction.is_cuda and abs(float(run.direction.norm()) - 1) < 1e-9
    assert np.isfinite(run.path[["tau", "zeta", "cos"]]).all(axis=None) and run.path["tau"].iloc[-1] > 0.1 - 1e-9


@pytest.mark.filterwarnings("ignore:invalid value")  # shares of a gradient that is zero
def test_dead_units_end_a_flow_and_not_its_job(study, tmp_path):
    """The first layer's weights are put to zero; what is measured then has one step, without an angle."""
    spec, split, start, path = study.specifications.flow("alexnet", 0), *(tmp_path / name for name in "ask")
    data.run(study.specifications.data("digits"), split, "digits")
    homogeneity.run(study.specifications.network("alexnet", 0), tmp_path / "check")
    places = (tmp_path / "checkpoints", tmp_path / "log.txt")
    train.run(study.specifications.train("alexnet", 0), split, tmp_path / "check", start, *places)
    weights = artifacts.read_tensors(start / "start.safetensors")["weights"].copy()
    weights[: 8 * 3 * 11 * 11] = 0.0
    artifacts.write_tensors(start / "start.safetensors", {"weights": weights})
    record = artifacts.read_manifest(start, verify=False)
    artifacts.write_manifest(start, list(record.pop("files")), record)
    flow.run(spec, split, start, path, *places)
    measure.run(spec, split, start, path, tmp_path / "measures")
    assert artifacts.read_manifest(tmp_path / "measures")["stop"] == "not_finite"
    steps = artifacts.read_table(tmp_path / "measures" / "path.parquet")
    assert len(steps) == 1 and np.isnan(steps["cos"]).all() and np.isfinite(steps["ln_risk"]).all()
