"""Stage `calibrate`: how often the verdict rules are wrong on trajectories whose answer is known; or judge others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import artifacts
from dirconv.claims import calibration, registry
from dirconv.errors import UserError
from dirconv.stages._output import made_by


def run(registry_file: Path, out: Path) -> None:
    """Write the scores of the rules with the registry's thresholds to `out` (JSON)."""
    by_set = scores(registry.load(registry_file))
    origin = made_by("calibrate", calibration.SPECIFICATION)
    artifacts.write_json(out, {"registry": str(registry_file), "scores": by_set, "made_by": origin})


def scores(claims: dict[str, registry.Claim]) -> dict[str, list[dict[str, Any]]]:
    """The rows of `calibration.score` by set; none where the registry has no claim with a calibrated rule."""
    chosen = calibration.thresholds(claims)
    return {name: calibration.score(name, chosen) for name in calibration.SETS} if chosen else {}


def judged(registry_file: Path, path: Path) -> list[dict[str, Any]]:
    """Verdicts on trajectories from outside, in a Parquet file."""
    chosen = calibration.thresholds(registry.load(registry_file))
    missing = calibration.CLAIMS.keys() - chosen.keys()
    if missing:
        rule = calibration.CLAIMS[min(missing)]
        raise UserError(f"{registry_file}: no entry with the rule {rule!r}; add one, its thresholds are needed")
    return calibration.judge(calibration.load(path), chosen)
