"""Measures that were made elsewhere, and the studies that they serve."""

from pathlib import Path

import pytest

from dirconv import artifacts
from dirconv.errors import UserError
from dirconv.study import validate
from dirconv.study.specifications import Specifications

ROOT = Path(__file__).parents[3]

MEASURED = {"model": {"name": "alexnet"}, "flow": {"method": "proximal"}}

CHOSEN = {"classes": {"negative": ["airplane"], "positive": ["automobile"]}, "train": None, "test": None, "seed": 0}


@pytest.mark.parametrize(
    ("recorded", "wanted", "changed", "serves"),
    [
        ({"source": "cifar10"}, {"source": "cifar10"}, {}, True),
        ({"source": "folder", "variant": "CIFAR-10, JPEG copy"}, {"source": "cifar10"}, {}, True),
        ({"source": "folder", "variant": "CIFAR-10, JPEG copy"}, {"source": "cifar10", "train": 100}, {}, False),
        ({"source": "folder", "variant": "CIFAR-10, JPEG copy"}, {"source": "cifar10"}, {"loss": "logistic"}, False),
        ({"source": "folder", "variant": "photographs"}, {"source": "cifar10"}, {}, False),
        ({"source": "folder", "variant": None}, {"source": "cifar10"}, {}, False),
        ({"source": "digits"}, {"source": "cifar10"}, {}, False),
        ({"source": "folder", "variant": "CIFAR-10, JPEG copy"}, {"source": "folder", "variant": "mine"}, {}, False),
    ],
)
def test_measures_of_another_copy_of_cifar10_serve_a_study_that_asks_for_it(
    tmp_path, monkeypatch, recorded, wanted, changed, serves
):
    study = validate.load(ROOT / "config" / "cifar10.yaml", {"registry": str(ROOT / "config" / "claims.yaml")})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Specifications, "flow", lambda *_: {**MEASURED, **changed, "data": {**CHOSEN, **wanted}})
    record = {"specification": {**MEASURED, "data": {**CHOSEN, **recorded}}}
    artifacts.write_manifest(tmp_path / "results" / "cifar10" / "measures" / "alexnet" / "seed0", [], record)
    if serves:
        assert study.is_reference("alexnet/seed0")
    else:
        with pytest.raises(UserError, match="measured with other options"):
            study.is_reference("alexnet/seed0")
