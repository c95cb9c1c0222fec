"""A made-up audit of a small study, and pages of it to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from dirconv import artifacts

MACHINE = {"processor": "A <fast> one", "cores": 2, "system": "Linux x86_64", "python": "3.11.7", "device": "cpu"}


def claim(name: str, figure: str, **changes: Any) -> dict[str, Any]:
    """A claim of an audit, supported as expected by two seeds."""
    outcome = {"verdict": "supported", "value": 1.5, "low": 1.2, "high": 1.8, "reason": "p > 1 & little remains"}
    members = ("alexnet/seed0", "alexnet/seed1")
    return {
        "id": name,
        "part": "paper",
        "checks_claim": None,
        "title": f"Title of {name}",
        "source": "A paper | Theorem 1",
        "statement": "If a < b then ‖W_k‖ → ∞ & *more*",
        "assumptions": ["ℒ(W₀) < ℓ(0)", "homogeneous"],
        "expected": "supported",
        "must_be": [],
        "verdict": "supported",
        "agrees": True,
        "reason": "p > 1 & little remains",
        "unmet": "",
        "finds": ["it converges <fast>", "it goes on"],
        "statistic": {"name": "exponent p", "value": 1.5, "low": 1.2, "high": 1.8, "threshold": 1.0},
        "against": {"symbol": "P", "relation": "above", "bound": 1.0, "other": 0.75},
        "networks": {"alexnet": {"name": "AlexNet", "data": "CIFAR-10, JPEG copy"}},
        "thresholds": {"exponent": 1.0, "remaining": 0.3},
        "figure": figure,
        "redraw": f"uv run snakemake --cores all --force {figure}",
        "target": f"uv run snakemake --cores all claim_{name}",
        "seeds": {member: dict(outcome) for member in members},
        "stale": [],
        "judged": "Supported: at most one half.",
        "evidence": [
            {"path": f"results/small/measures/{member}/path.parquet", "sha256": f"{i}a" * 32}
            for i, member in enumerate(members)
        ],
        **changes,
    }


def problem() -> dict[str, Any]:
    """A small problem of an audit."""
    return {
        "problem": {"name": "deep_linear", "depth": 2},
        "data": "30 points",
        "degree": 2,
        "loss": "exponential",
        "seeds": [0, 1],
        "stops": ["tau", "step_underflow"],
        "median": {"steps": 80, "evaluations": 200, "log10_risk": None, "tau": 9.0, "zeta": 0.5, "cos": 0.25},
        "machine": MACHINE,
        "created": "2026-11-24T02:44:15+00:00",
        "stale": False,
    }


def run(seed: int) -> dict[str, Any]:
    """A run of an audit."""
    return {
        "model": {"name": "alexnet", "width": 0.25, "biases": False},
        "degree": 6,
        "loss": "logistic",
        "seed": seed,
        "method": {"method": "descent", "tolerance": 1e-5},
        "stop": "log_inverse_risk",
        "summary": {
            "steps": 1234,
            "evaluations": 5678,
            "log10_risk": -12.34567,
            "tau": 0.0123456,
            "zeta": 3.1e-7,
            "cos": 0.99999876,
        },
        "machine": MACHINE,
        "created": "2026-11-24T02:44:15+00:00",
        "stale": False,
    }


def scores() -> list[dict[str, Any]]:
    """A family and the whole, for one claim."""
    counts = {"cases": 600, "wrong_supported": 3, "wrong_contradicted": 0, "inconclusive": 150}
    return [{"claim": "alignment", "family": family, **counts} for family in ("all", "spiral")]


def made_up() -> dict[str, Any]:
    """An audit of three claims and two pictures, which are drawn below the working directory."""
    folder = Path("figures/small")
    folder.mkdir(parents=True)
    for name, colour in (("path_length", (200, 30, 30)), ("risk", (30, 30, 200))):
        Image.new("RGB", (4, 3), colour).save(folder / f"{name}.png")
    return {
        "study": "small",
        "results": "results/small",
        "title": "A <small> study",
        "created": "2026-11-24T02:46:00+00:00",
        "version": "0.1.0",
        "machine": MACHINE,
        "versions": {"dirconv": "0.1.0", "torch": "2.15.0"},
        "data": {
            "digits": {
                "variant": "digits <8×8>",
                "classes": ["0 + 2", "1 + 3"],
                "counts": {"train": {"0": 39, "2": 40, "1": 41, "3": 1000}, "test": {"0": 1, "2": 2, "1": 3, "3": 4}},
                "source_sha256": "f" * 64,
            }
        },
        "registry": "config/claims.yaml",
        "configuration": "config/small.yaml",
        "command": "uv run snakemake --cores all --configfile config/small.yaml",
        "runs": {"alexnet/seed0": run(0), "alexnet/seed1": run(1)},
        "problems": {"deep_linear_2": problem()},
        "calibration": {which: scores() for which in ("held_out", "mixed", "tuning")},
        "claims": [
            claim("direction_converges", "figures/small/path_length.png", must_be=["supported", "inconclusive"]),
            claim("margins", "figures/small/path_length.png"),
            claim("risk", "figures/small/risk.png", expected="open", agrees=None),
        ],
    }


def every_part(audit: dict[str, Any]) -> dict[str, Any]:
    """The audit with a claim of each part, out of order, and with two checks of the first claim."""
    path, risk = (f"figures/small/{name}.png" for name in ("path_length", "risk"))
    audit["claims"] = [
        claim("hat", risk, part="control", expected="contradicted", verdict="contradicted", must_be=["contradicted"]),
        claim("asked", path, part="reviewer"),
        *audit["claims"],
        claim("by_chords", path, checks_claim="direction_converges", verdict="inconclusive", agrees=False),
        claim("at_half", path, checks_claim="direction_converges"),
        claim("beyond", path, part="extension", expected="open", agrees=None),
    ]
    return audit


def measure(audit: dict[str, Any]) -> None:
    """Write measures of the audit's runs: ℒ < ℓ(0) from the second step on, cos 1 − e^(−τ), margins τ to 101 τ."""
    tau = np.linspace(0.0, 5.0, 51)
    ln_risk = 0.5 - 20 * tau
    below = ln_risk < np.log(np.log(2))
    path = pd.DataFrame({"tau": tau, "zeta": tau / 2, "cos": 1 - np.exp(-tau), "tan": np.exp(-tau)})
    margins = pd.concat(
        pd.DataFrame({"snapshot": i, "tau": t, "ln_risk": 0.5 - 20 * t, "by_norm": t * np.arange(1, 102)})
        for i, t in enumerate(tau)
    )
    for member, run in audit["runs"].items():
        folder = Path(audit["results"], "measures", member)
        folder.mkdir(parents=True)
        artifacts.write_table(folder / "path.parquet", path.assign(ln_risk=ln_risk, below=below))
        artifacts.write_table(folder / "margins.parquet", margins)
        kept = {key: run[key] for key in ("model", "degree", "loss", "seed")}
        record = {"specification": {"run": member.partition("/")[0], **kept}}
        artifacts.write_manifest(folder, ["path.parquet", "margins.parquet"], record)
