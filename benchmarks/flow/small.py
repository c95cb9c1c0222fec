"""Jacobian evaluations on a small smooth map, against scipy's solvers."""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp
from threadpoolctl import threadpool_limits

from dirconv import flow, losses
from dirconv.flow.methods import proximal
from dirconv.goals import Stop
from dirconv.margins.function import FunctionMap


def squared_relu() -> tuple[FunctionMap, np.ndarray, Any]:
    """30 examples, 40 neurons, degree 3, and weights at which ℒ < ½; with margins and Jacobian in NumPy."""
    random = np.random.default_rng(0)
    n, d, m = 30, 5, 40
    x = random.normal(size=(n, d))
    y = np.sign(x @ random.normal(size=d))
    inner, outer = random.normal(size=(m, d)) * 0.5, random.normal(size=m) * 0.5

    def jacobian(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, hidden = w[:m], np.maximum(x @ w[m:].reshape(m, d).T, 0)
        by_inner = (2 * y[:, None] * hidden * a)[:, :, None] * x[:, None, :]
        return y * (hidden**2 @ a), np.concatenate([y[:, None] * hidden**2, by_inner.reshape(n, -1)], 1)

    w = np.concatenate([outer, inner.ravel()])
    while True:
        p, rows = jacobian(w)
        e = np.exp(-p)
        if e.sum() < 0.5:
            break
        w = w + 0.01 * (rows.T @ (e / max(e.sum(), 1)))
    images, labels = torch.from_numpy(x), torch.from_numpy(y)

    def margins(weights: torch.Tensor) -> torch.Tensor:
        a, hidden = weights[:m], torch.relu(images @ weights[m:].view(m, d).T)
        return (labels * (hidden.square() @ a))[:, None]

    return FunctionMap(margins, 3), w, jacobian


MOST = 200_000  # evaluations of the velocity


class _Enough(Exception):
    """A solver has had its evaluations."""


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Jacobian evaluations to follow τ from 0 to 3, against scipy's solvers with the velocity in closed form.

    For each method a ladder of tolerances; what counts is the least number of Jacobians with an end direction within
    10⁻³ of LSODA's at rtol 10⁻⁸, which Radau at the same tolerance checks. Implicit solvers are given no Jacobian of
    the velocity: that would need p's Hessian; they take differences, 240 Jacobians of p each time, which are reported
    apart. A solver that needs more than 200,000 evaluations is given up.
    """
    torch.set_num_threads(1)
    threadpool_limits(1)  # the matrices are small: threads would only wait for each other
    margin_map, w, jacobian = squared_relu()
    radius, end = float(np.linalg.norm(w)), 3.0
    theta = w / radius

    left = [math.inf]

    def velocity(tau: float, at: np.ndarray) -> np.ndarray:
        left[0] -= 1
        if left[0] < 0:
            raise _Enough
        p, rows = jacobian(at)
        scaled = (radius * math.exp(tau)) ** 3 * p
        q = np.exp(scaled.min() - scaled)
        v = rows.T @ (q / q.sum())
        return (v - at * (at @ v)) / (at @ v)

    def direction(y: np.ndarray) -> np.ndarray:
        return y / np.linalg.norm(y)

    # softmin weights at s p ~ 10⁵ carry 10⁻¹¹ of noise: tolerances below that only make a solver fail its steps
    begin = time.monotonic()
    both = [solve_ivp(velocity, (0, end), theta, method=method, rtol=1e-8, atol=1e-10) for method in ("LSODA", "Radau")]
    if not all(one.success for one in both):
        raise RuntimeError(f"a reference did not reach τ = {end}: {[one.message for one in both]}")
    reference, other = (direction(one.y[:, -1]) for one in both)
    doubt = float(np.linalg.norm(reference - other))
    print(f"reference: LSODA and Radau differ by {doubt:.2g} ({time.monotonic() - begin:.0f} s)", flush=True)
    rows = []
    for method in ("LSODA", "Radau", "BDF", "DOP853", "RK45"):
        for tolerance in (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6):  # until one will do
            begin, left[0] = time.monotonic(), MOST
            try:
                found = solve_ivp(velocity, (0, end), theta, method=method, rtol=tolerance, atol=tolerance / 100)
            except _Enough:
                rows.append([method, tolerance, math.inf, MOST, 0, time.monotonic() - begin])
                continue  # a tighter tolerance may do better
            spent = time.monotonic() - begin
            differences = found.njev * len(w) if method in ("LSODA", "Radau", "BDF") else 0
            counted = found.nfev - (differences if method == "LSODA" else 0)
            error = float(np.linalg.norm(direction(found.y[:, -1]) - reference)) if found.success else math.inf
            rows.append([method, tolerance, error, int(counted), int(differences), spent])
            if error <= 1e-3:
                break
    start = torch.from_numpy(w)
    loss = losses.get("exponential")
    for tolerance in (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4):  # likewise
        calls = [0]
        counted_map = _Counted(margin_map, calls)
        begin = time.monotonic()
        stop = Stop(tau=end, steps=10**6)
        spec = proximal.Spec(tolerance=tolerance, land=end)
        events = list(flow.follow(counted_map, loss, spec, stop, flow.State.at_start(start.clone())))
        spent = time.monotonic() - begin
        error = float(np.linalg.norm(direction(events[-1].step.state.weights.numpy()) - reference))
        rows.append(["proximal", tolerance, error, calls[0], 0, spent])
        if error <= 1e-3:
            break
    keys = ("method", "tolerance", "error", "jacobians", "for_differences", "seconds")
    rows = [dict(zip(keys, row, strict=True)) for row in rows]
    for row in rows:
        print(row, flush=True)
    good = [row for row in rows if row["error"] <= 1e-3]
    ours = min((row["jacobians"] for row in good if row["method"] == "proximal"), default=math.nan)
    others = [row for row in good if row["method"] != "proximal"]
    ratios = {
        "differences counted": min(row["jacobians"] + row["for_differences"] for row in others) / ours,
        "differences not counted": min(row["jacobians"] for row in others) / ours,
    }
    for row in rows:
        row["error"] = row["error"] if math.isfinite(row["error"]) else None  # given up
    return {"tau": end, "reference_doubt": doubt, "rows": rows, "ratios": ratios}


@dataclasses.dataclass(frozen=True)
class _Counted:
    """A map that counts how often its Jacobian is evaluated, for a product or for all rows."""

    of: FunctionMap
    calls: list[int]

    @property
    def degree(self) -> int | None:
        return self.of.degree

    @property
    def unit(self) -> float:
        return self.of.unit

    def values(self, weights, examples=None):
        return self.of.values(weights, examples)

    def rows(self, weights, examples):
        self.calls[0] += 1
        return self.of.rows(weights, examples)

    def precise(self) -> _Counted:
        return self
