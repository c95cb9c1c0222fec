"""ln ℒ, softmin weights and ℓ⁻¹ against 60-digit arithmetic, from margins of −50 to 10⁸."""

import math

import mpmath
import numpy as np
import pytest
import torch
from mpmath import mpf

from dirconv import losses
from dirconv.losses import log_domain

mpmath.mp.dps = 60

RANDOM = np.random.default_rng(1)
ONE_COLUMN = {
    "all at zero": [0.0] * 7,
    "near zero": [1e-9, -1e-9, 1e-17, -1e-300, 3e-5],
    "about to be misclassified": [-50.0, -37.5, -36.0, -12.0, -1.0],
    "mixture": [-50.0, -3.0, 0.0, 0.7, 20.0, 36.5, 300.0, 745.0, 1e4, 1e8],
    "where e^(−p) passes 1e-9": list(math.log(1e9) + np.linspace(-1e-6, 1e-6, 7)),
    "where the risk passes e^(−36)": list(36 + np.linspace(-0.5, 0.5, 9)),
    "one wrong among very large": [-0.5, 800.0, 5e7, 1e8],
    "below the least floating-point number": [750.0, 760.25, 800.0],
    "large": [1e8 + 0.3, 1e8 + 0.7, 1e8 + 41.0, 1.5e8],
    "random": list(RANDOM.normal(2, 10, size=40)),
    "one example": [5.0],
}
SEVERAL_COLUMNS = {
    "all at zero": np.zeros((4, 3)),
    "mixture": np.array([[-50, 3, 1e8], [36, 36.5, 37], [0, 1e-9, -1e-9], [700, 745, 1e4], [20.7, 21, 22]], float),
    "large": 1e8 + RANDOM.uniform(0, 50, size=(6, 3)),
    "where e^(−p) passes 1e-9": math.log(3e9) + np.linspace(-1e-6, 1e-6, 18).reshape(6, 3),
    "random": RANDOM.normal(2, 10, size=(30, 3)),
}
CASES = [
    pytest.param(name, np.array(margins, float).reshape(len(margins), -1), id=f"{name}-{where}")
    for name, kinds in (
        ("exponential", (ONE_COLUMN, SEVERAL_COLUMNS)),
        ("logistic", (ONE_COLUMN,)),
        ("cross_entropy", (ONE_COLUMN, SEVERAL_COLUMNS)),
        ("polynomial", (ONE_COLUMN,)),
    )
    for kind in kinds
    for where, margins in kind.items()
]

SEVERAL = ("exponential", "cross_entropy")  # losses of more than two classes
EXPONENTIAL_TAIL = [name for name in losses.LOSSES if name != "polynomial"]


def exact(name, margins):
    """ln ℒ and the weights −∂ℒ/∂p, not normalized, from their definitions."""
    if name == "polynomial":
        values = [(1 + p) ** -2 if p >= 0 else 1 - 2 * p for row in margins for p in map(mpf, map(float, row))]
        return mpmath.log(mpmath.fsum(values)), [[2 / (1 + max(mpf(float(p)), 0)) ** 3 for p in row] for row in margins]
    exponentials = [[mpmath.exp(-mpf(float(p))) for p in row] for row in margins]
    sums = [mpmath.fsum(row) for row in exponentials]
    if name == "exponential":
        return mpmath.log(mpmath.fsum(sums)), exponentials
    slopes = [[e / (1 + total) for e in row] for row, total in zip(exponentials, sums, strict=True)]
    return mpmath.log(mpmath.fsum(mpmath.log1p(total) for total in sums)), slopes


@pytest.mark.parametrize(("name", "margins"), CASES)
def test_ln_risk_is_exact(name, margins):
    found = float(losses.get(name).ln_risk(torch.from_numpy(margins)))
    expected, _ = exact(name, margins)
    # rounding of the margins' own size in the exponent is a relative error of ln ℒ; near ln ℒ = 0 it is absolute
    assert abs(mpf(found) - expected) <= 1e-12 * abs(expected) + 2e-14


@pytest.mark.parametrize("name", losses.LOSSES)
@pytest.mark.parametrize("others", [0, 2])
def test_ln_risk_of_one_example_is_exact(name, others):
    """No larger loss hides an error here; −ln(1 + others) and 0 are where e^(−p) sums to 1."""
    for margin in [*np.linspace(-50, 50, 81), -math.log(1 + others), math.nextafter(0, 1), math.nextafter(0, -1)]:
        margins = np.full((1, 1 + (others if name in SEVERAL else 0)), margin)
        found = float(losses.get(name).ln_risk(torch.from_numpy(margins)))
        expected, _ = exact(name, margins)
        assert abs(mpf(found) - expected) <= 1e-14 * abs(expected) + 4e-16


@pytest.mark.parametrize(("name", "margins"), CASES)
def test_weights_are_exact(name, margins):
    found = losses.get(name).weights(torch.from_numpy(margins))
    assert found.shape == margins.shape
    assert float(found.sum()) == pytest.approx(1, abs=1e-14)
    assert found.min() >= 0
    _, slopes = exact(name, margins)
    total = mpmath.fsum(e for row in slopes for e in row)
    for q, e in zip(found.flatten().tolist(), [e for row in slopes for e in row], strict=True):
        # relative, down to where a weight is no normal floating-point number any more
        assert abs(mpf(q) - e / total) <= 1e-12 * e / total + mpf(1e-300)


@pytest.mark.parametrize(("name", "margins"), CASES)
def test_weights_are_the_normalized_gradient_of_ln_risk(name, margins):
    if name == "polynomial":  # where its two branches meet autograd sees neither
        margins = np.where(margins == 0, 0.5, margins)
    leaf = torch.from_numpy(margins).requires_grad_()
    loss = losses.get(name)
    (gradient,) = torch.autograd.grad(loss.ln_risk(leaf), leaf)
    torch.testing.assert_close(gradient / gradient.sum(), loss.weights(leaf), rtol=1e-7, atol=1e-15)


@pytest.mark.parametrize("margin", [-50.0, -1.0, 0.0, 1e-9, 20.7, 36.0, 300.0, 800.0, 1e8])
def test_gradient_of_ln_risk_of_one_example_is_exact(margin):
    leaf = torch.tensor([[margin]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(losses.get("logistic").ln_risk(leaf), leaf)
    e = mpmath.exp(-mpf(margin))
    expected = -e / (1 + e) / mpmath.log1p(e)
    assert abs(mpf(float(gradient)) / expected - 1) < 1e-7  # autograd of the branches cancels near u = 1e-9


@pytest.mark.parametrize("margins", [pytest.param(np.array(m)[:, None], id=k) for k, m in ONE_COLUMN.items()])
def test_logistic_is_cross_entropy_of_one_column(margins):
    p = torch.from_numpy(margins)
    logistic, cross_entropy = losses.get("logistic"), losses.get("cross_entropy")
    assert float(logistic.ln_risk(p)) == float(cross_entropy.ln_risk(p))
    assert torch.equal(logistic.weights(p), cross_entropy.weights(p))


def test_cross_entropy_is_torchs_on_logits():
    logits = torch.from_numpy(RANDOM.normal(size=(20, 4)))
    labels = torch.from_numpy(RANDOM.integers(0, 4, 20))
    p = torch.stack([row[y] - torch.cat([row[:y], row[y + 1 :]]) for row, y in zip(logits, labels, strict=True)])
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    assert float(losses.get("cross_entropy").ln_risk(p).exp()) == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.parametrize(
    "ln_risk",
    [
        *(-1e8, -1e4, -1000.0, -746.0, -40.0, -36 - 1e-9, -36.0, -36 + 1e-9, -30.0, -20.7, -1.0, -1e-9, 0.0, 1.0, 3.0),
        *(math.log(math.log(2)), math.log(699.99), math.log(700), math.log(700.01), math.log(1e4), 60.0),
    ],
)
@pytest.mark.parametrize("name", losses.LOSSES)
def test_inverse_is_exact(name, ln_risk):
    if name == "polynomial" and ln_risk < -1000:
        pytest.skip("its inverse is beyond floating-point numbers")
    found = losses.get(name).inverse(ln_risk)
    if name == "polynomial":
        risk = mpmath.exp(mpf(ln_risk))
        expected = (1 - risk) / 2 if risk > 1 else risk ** mpf("-0.5") - 1
        assert abs(mpf(found) - expected) <= 1e-12 * abs(expected) + 1e-15
        return
    expected = -mpf(ln_risk) if name == "exponential" else -mpmath.log(mpmath.expm1(mpmath.exp(mpf(ln_risk))))
    assert abs(mpf(found) - expected) <= 1e-12 * abs(expected) + 1e-15


@pytest.mark.parametrize("name", losses.LOSSES)
@pytest.mark.parametrize("margin", [-50.0, -0.3, 0.0, 1e-9, 5.0, 20.72, 36.04, 700.0, 1e8])
def test_inverse_gives_the_margin_of_one_example_back(name, margin):
    loss = losses.get(name)
    found = loss.inverse(float(loss.ln_risk(torch.tensor([[margin]], dtype=torch.float64))))
    assert found == pytest.approx(margin, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_ln_at_zero_is_the_risk_of_one_margin_of_zero(name):
    loss = losses.get(name)
    expected, _ = exact(name, [[0.0]])
    assert loss.ln_at_zero == pytest.approx(float(expected), abs=1e-16)
    assert float(loss.ln_risk(torch.zeros(1, 1))) == pytest.approx(loss.ln_at_zero, abs=1e-15)


@pytest.mark.parametrize("name", EXPONENTIAL_TAIL)
def test_single_precision_margins_are_judged_in_double(name):
    p = torch.tensor([[16777216.0], [16777218.0]], dtype=torch.float32)
    loss = losses.get(name)
    assert loss.ln_risk(p).dtype == loss.weights(p).dtype == torch.float64
    assert float(loss.weights(p)[0]) == pytest.approx(1 / (1 + math.exp(-2)), rel=1e-14)
    assert float(loss.ln_risk(p)) == pytest.approx(-16777216 + math.log1p(math.exp(-2)), rel=1e-15)


def test_a_risk_that_is_no_number_is_not_hidden():
    for name in losses.LOSSES:
        loss = losses.get(name)
        assert math.isnan(loss.ln_risk(torch.tensor([[math.nan], [1.0]])))
        assert math.isnan(loss.inverse(math.nan))


SCALES = [-30.0, 0.0, 3.0, 30.0, 308.0, 650.0, 708.9, 712.0, 1040.0]  # ln s; e^709.8 is the largest float64
UNIT = {
    "all right": np.array([[0.2], [0.2], [0.2 + 1e-12], [0.3], [50.0]]),
    "one at zero": np.array([[0.0], [0.1], [0.3]]),
    "two wrong": np.array([[-0.2], [0.5], [-1e-3], [0.0]]),
    "several classes": np.array([[0.2, 0.5], [0.2, 0.2], [0.7, 0.3]]),
    "several classes, one wrong": np.array([[0.2, -0.5], [0.1, 0.2]]),
}


@pytest.mark.parametrize("ln_scale", SCALES)
@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name in losses.LOSSES for case in UNIT if UNIT[case].shape[1] == 1 or name in SEVERAL],
)
def test_margins_at_unit_norm_with_ln_s_apart_are_exact(name, case, ln_scale):
    """ln ℒ, q, ln ℓ⁻¹(ℒ) and κ at s p, where s p and ln ℒ may be beyond float64."""
    unit = UNIT[case]
    loss, p = losses.get(name), torch.from_numpy(unit)
    with mpmath.workdps(600):  # e^(−s p) needs the digits of s p
        s = mpmath.exp(mpf(ln_scale))
        ln_risk, slopes = at_scale(name, [[s * mpf(float(x)) for x in row] for row in unit])
        inverse = inverse_at(name, ln_risk)
        _, ((at_inverse,),) = at_scale(name, [[inverse]])
        total = mpmath.fsum(x for row in slopes for x in row)
        expected_q = np.array([[float(x / total) for x in row] for row in slopes])
        ln_concentration = float(mpmath.log(total / at_inverse))
        ln_margin = float(mpmath.log(inverse)) if inverse > 0 else math.nan
    found = float(loss.ln_risk(p, ln_scale))
    if abs(ln_risk) < mpf(10) ** 308:
        assert abs(mpf(found) - ln_risk) <= 1e-12 * abs(ln_risk) + 1e-13
    else:
        assert found == (math.inf if ln_risk > 0 else -math.inf)
    assert np.abs(loss.weights(p, ln_scale).numpy() - expected_q).max() <= 1e-12
    if abs(inverse) > mpf(10) ** -12:
        assert loss.ln_margin(p, ln_scale) == pytest.approx(ln_margin, rel=1e-12, abs=1e-9, nan_ok=True)
        assert loss.ln_concentration(p, ln_scale) == pytest.approx(ln_concentration, abs=1e-9)


def at_scale(name, margins):
    """ln ℒ and −∂ℒ/∂p of margins that are mpmath's, from the definitions."""
    if name == "polynomial":
        values = [(1 + p) ** -2 if p >= 0 else 1 - 2 * p for row in margins for p in row]
        return mpmath.log(mpmath.fsum(values)), [[2 / (1 + max(p, 0)) ** 3 for p in row] for row in margins]
    terms = [[mpmath.exp(-p) for p in row] for row in margins]
    sums = [mpmath.fsum(row) for row in terms]
    if name == "exponential":
        return mpmath.log(mpmath.fsum(sums)), terms
    one_by_one = [total if total < mpf(10) ** -250 else mpmath.log1p(total) for total in sums]
    return mpmath.log(mpmath.fsum(one_by_one)), [
        [x / (1 + total) for x in row] for row, total in zip(terms, sums, strict=True)
    ]


def inverse_at(name, ln_risk):
    """ℓ⁻¹(ℒ) in mpmath."""
    risk = mpmath.exp(ln_risk)
    if name == "exponential":
        return -ln_risk
    if name == "polynomial":
        return (1 - risk) / 2 if risk > 1 else 1 / mpmath.sqrt(risk) - 1
    return -ln_risk if risk < mpf(10) ** -250 else -mpmath.log(mpmath.expm1(risk)) if risk < 10**6 else -risk


def test_margins_that_are_nearly_equal_share_the_weight_however_large_s_is():
    """p − min p is exact, s (p − min p) moderate, and s p overflows."""
    loss, ln_scale = losses.get("exponential"), 720.0
    gap = 2.0**-1030  # so small that it is lost beside 1, but not beside a margin of its own size
    p = torch.tensor([[gap], [2 * gap]], dtype=torch.float64)
    ratio = mpmath.exp(-mpf(gap) * mpmath.exp(mpf(ln_scale)))
    assert float(loss.weights(p, ln_scale)[1]) == pytest.approx(float(ratio / (1 + ratio)), rel=1e-12)


def test_losses_names_what_get_finds():
    assert set(losses.LOSSES) == set(log_domain.BY_NAME)
    assert set(losses.LN_AT_ZERO) == {*losses.LOSSES, "cubic"}
    assert len(set(losses.LOSSES)) == len(losses.LOSSES)
    assert [losses.get(name).name for name in losses.LOSSES] == list(losses.LOSSES)
    with pytest.raises(KeyError):
        losses.get("hinge")
