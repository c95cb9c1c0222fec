"""Which code made a result, by declared versions: `NUMERICS = n` in every module whose code moves numbers.

A *part* is such a module under a name that outlives a rename: `network.alexnet` for a plugin, one of `SHARED` for
what several stages use. Whoever moves a number raises the part's NUMERICS, and everything that went through the part
is stale: Snakemake's parameters and the audit both compare these versions. A comment, a rename or a refactoring that
moves no number reruns nothing. Golden runs (tests/golden) fail where a number moves without a raise.

A part that a record does not name counts as version 1, the version that every part begins with. So a module may be
split, and one that is new may be gone through, without making anything stale.

A module's source is read, not imported: the workflow asks for hundreds of versions and must not wait for torch.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirconv.options import modules

PACKAGE = Path(__file__).parent
FIRST = 1  # the version that every part begins with

KINDS = {  # of plugins: the first half of a part's name, and the package that holds them
    "data": "data",
    "network": "models",
    "flow": "flow.methods",
    "measure": "measures",
    "probe": "probes",
    "problem": "problems",
    "rule": "claims.rules",
    "calibration": "claims.calibration",
    "figure": "figures",
}
SHARED = {  # parts that several plugins or stages go through, and the module of each
    "split": "data",
    "initial_weights": "models",
    "densenet_layers": "models._densenet",
    "homogeneity": "homogeneity",
    "losses": "losses.log_domain",
    "margin_map": "margins.network",
    "jacobian": "margins.jacobian",
    "batch_gradient": "margins.batch",
    "function_map": "margins.function",
    "robustness": "margins.robustness",
    "training": "training",
    "flow": "flow",
    "soundness": "flow.soundness",
    "point": "flow.point",
    "step_control": "flow.control",
    "dual": "flow.dual",
    "backward": "flow.backward",
    "cuts": "flow.cuts",
    "proximal_step": "flow.proximal_step",
    "cut_dual": "flow.cut_dual",
    "rates": "flow.rates",
    "kkt": "kkt",
    "polish": "kkt.polish",
    "lagrangian": "kkt.lagrangian",
    "trust_region": "kkt.trust_region",
    "resolved_kkt": "kkt.resolved",
    "trajectory": "measures",
    "small_networks": "problems._dense",
    "small_flows": "problems._flows",
    "hard_margin": "oracles.hard_margin",
    "signed_measure": "oracles.signed_measure",
    "kernel": "oracles.kernel",
    "sliding": "oracles.sliding",
    "geometry": "geometry",
    "goals": "flow.goals",
    "tail_statistics": "claims.statistics",
    "convergence": "claims.rules._convergence",
    "fits": "claims.fits",
    "desingularize": "claims.desingularize",
    "halving": "claims.halving",
    "judging": "claims.judging",
    "calibration": "claims.calibration",
    "figure_style": "figures._style",
    "figure_sources": "figures",
    "page": "report",
}


def parts() -> list[str]:
    """Every part's name."""
    plugins = [f"{kind}.{name}" for kind, package in KINDS.items() for name in modules(package)]
    return [*plugins, *SHARED]


def module(part: str) -> str:
    """The module that holds the part, below `dirconv`."""
    kind, _, name = part.partition(".")
    return f"{KINDS[kind]}.{name}" if name else SHARED[part]


def version(part: str) -> int:
    """The part's NUMERICS."""
    return _declared(module(part))[0]


def through(*named: str) -> dict[str, int]:
    """The versions of the named parts and of all that these go through, by name, sorted."""
    versions: dict[str, int] = {}
    waiting = list(named)
    while waiting:
        part = waiting.pop()
        if part not in versions:
            versions[part], below = _declared(module(part))
            waiting.extend(below)
    return dict(sorted(versions.items()))


@functools.cache
def _declared(name: str) -> tuple[int, tuple[str, ...]]:
    """A module's NUMERICS, and its GOES_THROUGH: the shared parts that it uses."""
    path = PACKAGE.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    constants = {
        target.id: node.value
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("NUMERICS", "GOES_THROUGH")
    }
    if "NUMERICS" not in constants:
        raise LookupError(f"{path}: declares no NUMERICS")
    below = ast.literal_eval(constants["GOES_THROUGH"]) if "GOES_THROUGH" in constants else ()
    return ast.literal_eval(constants["NUMERICS"]), tuple(below)


def of_stage(stage: str, specification: Mapping[str, Any]) -> dict[str, int]:
    """The versions that a job of the stage goes through; what its inputs went through comes on top (`oldest`)."""

    def plugins(kind: str, *names: str) -> list[str]:
        return [f"{kind}.{name}" for name in names]

    spec = specification
    network = ["initial_weights", "margin_map", *(plugins("network", spec["model"]["name"]) if "model" in spec else ())]
    on_data = [*network, "losses", "split"]
    named = {
        "data": lambda: ["split", *plugins("data", spec["source"])],
        "homogeneity": lambda: [*network, "homogeneity"],
        "train": lambda: [*on_data, "training"],
        "flow": lambda: [*on_data, "flow", *plugins("flow", spec["flow"]["method"])],
        "measure": lambda: [*on_data, "trajectory", *plugins("measure", *modules("measures"))],
        "probe": lambda: [*on_data, "trajectory", *plugins("probe", spec["probe"])],
        "problem": lambda: plugins("problem", spec["problem"]["name"]),
        "claim": lambda: ["judging", *plugins("rule", spec["rule"])],
        "calibrate": lambda: [
            *("calibration", "judging", *plugins("rule", *spec["rules"]), *plugins("calibration", *spec["sets"]))
        ],
        "figure": lambda: ["figure_sources", *plugins("figure", spec["figure"])],
        "audit": lambda: ["page"],
    }
    return through(*named[stage]())


def raised(versions: Mapping[str, int]) -> dict[str, int]:
    """The versions above the first: what a job's parameters hold, so that a part that is new reruns nothing."""
    return {part: n for part, n in versions.items() if n > FIRST}


def oldest(*records: Mapping[str, int]) -> dict[str, int]:
    """Of each part the lowest version in any record: an artifact is as old as the oldest thing it was made from."""
    lowest: dict[str, int] = {}
    for record in records:
        for part, n in record.items():
            lowest[part] = min(n, lowest.get(part, n))
    return dict(sorted(lowest.items()))


def moved(recorded: Mapping[str, int], today: Mapping[str, int]) -> list[str]:
    """The parts whose version today is not the recorded one."""
    return [part for part, n in today.items() if n != recorded.get(part, FIRST)]
