r"""Margin maps that are not networks: homogeneous polynomials, and the factors of a tensor.

    polynomial    p_i(w) = s_i ⟨T_i, w ⊗ ⋯ ⊗ w⟩, degree L; T_i standard normal, s_i so that p_i(w*) > 0 at a random w*
    tensor        p_i(U) = y_i Σ_r ∏_m ⟨u_rm, x_im⟩, m = 1 … L: the inner product of the tensor Σ_r u_r1 ⊗ ⋯ ⊗ u_rL,
                  of rank `rank` and order L, with x_i1 ⊗ ⋯ ⊗ x_iL; x standard normal, labelled by such a tensor of rank
                  `teacher`

Polynomials are definable and smooth, so Theorems 3.1 and 4.1 hold for both.

Tables besides `path` and `decomposition`: `limit` (a row a kept point: angles to the first and the last one, margin).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from dirconv.options import configurable, require_positive
from dirconv.problems import Followed
from dirconv.problems._options import Flowing

if TYPE_CHECKING:
    from torch import Tensor

NUMERICS = 2
GOES_THROUGH = ("small_flows",)
TABLES = ("path", "decomposition", "limit")


@configurable
class Spec(Flowing):
    """Options of the problem."""

    name: Literal["homogeneous_map"] = "homogeneous_map"
    kind: Literal["polynomial", "tensor"] = "polynomial"
    degree: int = 3  # L
    dimension: int = 10  # of w, or of each factor
    examples: int = 8
    rank: int = 5
    teacher: int = 2
    loss: Literal["exponential", "logistic"] = "exponential"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "dimension", "examples", "rank", "teacher")
        if not 2 <= self.degree <= 6:  # a polynomial has dimension^degree coefficients for every example
            raise ValueError(f"degree: must be from 2 to 6, got {self.degree}")

    @property
    def data(self) -> str:
        if self.kind == "polynomial":
            return f"{self.examples} random polynomials of degree {self.degree} in {self.dimension} variables"
        return f"{self.examples} rank-one tensors of order {self.degree}, labelled by one of rank {self.teacher}"


def polynomial(w: Tensor, coefficients: Tensor) -> Tensor:
    """⟨T_i, w ⊗ ⋯ ⊗ w⟩, (n,), of w (d,) and T (n, d, …, d)."""
    while coefficients.dim() > 1:
        coefficients = coefficients @ w
    return coefficients


def tensor(u: Tensor, x: Tensor) -> Tensor:
    """Σ_r ∏_m ⟨u_rm, x_im⟩, (n,), of u (rank, L, d) and x (n, L, d)."""
    import torch

    return torch.einsum("rmd,imd->irm", u, x).prod(-1).sum(-1)


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    import torch

    from dirconv.problems import _flows

    of_tensor, shape = spec.kind == "tensor", (spec.degree, spec.dimension)
    function = tensor if of_tensor else polynomial
    of_weights = (spec.rank, *shape) if of_tensor else (spec.dimension,)
    of_teacher = (spec.teacher, *shape) if of_tensor else of_weights
    of_example = shape if of_tensor else (spec.dimension,) * spec.degree

    def margins(flat: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return (y * function(flat.view(of_weights), x))[:, None]

    def examples(seed: int) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng((seed, 0))
        x = torch.from_numpy(random.normal(size=(spec.examples, *of_example)))
        return x.numpy(), function(torch.from_numpy(random.normal(size=of_teacher)), x).sign().numpy()

    starts = [
        np.random.default_rng((seed, 1)).normal(size=math.prod(of_weights)) / math.sqrt(spec.dimension)
        for seed in seeds
    ]
    return [
        kept.followed(
            decomposition=kept.decomposition(),
            limit=kept.at.assign(**kept.to_ends(), margin=kept.margins().amin(1).numpy()),
        )
        for kept in _flows.run(spec, margins, [examples(seed) for seed in seeds], starts)
    ]
