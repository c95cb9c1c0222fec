"""Distances to the decision boundary: an attack, the first order, and a bound that is certified."""

import sys

import pytest
import torch

from dirconv.errors import UserError
from dirconv.margins import robustness


def test_an_attack_finds_the_distance_to_a_hyperplane():
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(20, generator=generator, dtype=torch.float64)
    x = torch.randn(40, 20, generator=generator, dtype=torch.float64)

    def outputs(at):
        return 1e9 * torch.stack([-(at @ w), at @ w], 1)

    labels = outputs(x).argmax(1)
    labels[:5] = 1 - labels[:5]
    exact = (x @ w).abs() / w.norm()
    found = robustness.attacked(outputs, x, labels, 200)
    assert (found[:5] == 0).all()
    assert (found[5:] >= exact[5:] * (1 - 1e-9)).all() and (found[5:] <= 1.01 * exact[5:]).all()
    torch.testing.assert_close(robustness.first_order(outputs, x), exact)
    gaps = x @ w
    torch.testing.assert_close(robustness.certified(gaps, [w[None]]), exact)


def test_the_bound_lies_below_the_attack():
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((16, 20), (1, 16)))
    x = torch.randn(30, 20, generator=generator, dtype=torch.float64)

    def outputs(at):
        f = ((at @ first.T).clamp(min=0) @ second.T)[:, 0]
        return torch.stack([-f, f], 1) / 2

    gaps = outputs(x)[:, 1] - outputs(x)[:, 0]
    found = robustness.attacked(outputs, x, (gaps > 0).long(), 100)
    assert (robustness.certified(gaps, [first, second]) <= found + 1e-12).all()
    assert len(robustness.attacked(outputs, x[:0], gaps[:0].long(), 10)) == 0


def test_a_missing_library_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "foolbox", None)
    x = torch.ones(1, 2)
    with pytest.raises(UserError, match="needs foolbox, which is not installed; `uv sync --all-extras` brings it"):
        robustness.attacked(lambda at: at, x, torch.zeros(1, dtype=torch.int64), 1)
