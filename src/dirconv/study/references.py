"""Measures that stand without their trajectory: a clone's reference, of this very study or refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dirconv import numerics
from dirconv.artifacts import MANIFEST, finite, read_manifest
from dirconv.errors import UserError
from dirconv.study.job import job

if TYPE_CHECKING:
    from dirconv.study.resolve import Study


def is_reference(study: Study, member: str) -> bool:
    """Whether measures (or a probe) stand without their trajectory; UserError if they are not of this very study.

    Snakemake cannot tell: it knows the parameters of jobs that it ran itself, not those of a clone's artifacts.
    """
    measures = Path(study.results) / "measures" / member
    jobs = {of.stage: of for of in chain(study, member)}
    wanted = jobs.get("probe", jobs.get("measure"))
    trajectory = Path(wanted.inputs["trajectory"])
    if not (measures / MANIFEST).exists() or trajectory.exists():
        return False
    if not _same(read_manifest(measures, verify=False)["specification"], finite(wanted.spec)):
        raise UserError(f"{measures}: measured with other options than {study.where} has now; delete it to run again")
    return True


def _same(recorded: dict[str, Any], today: dict[str, Any]) -> bool:
    """Whether measures are of what is asked for today, be it from another copy of CIFAR-10, which their page names."""
    theirs, ours = recorded["data"], today["data"]
    copied = (theirs.get("variant") or "").startswith("CIFAR-10") and ours["source"] == "cifar10"
    if copied and theirs["source"] == "folder":
        theirs, ours = ({k: v for k, v in of.items() if k not in ("source", "variant")} for of in (theirs, ours))
    return {**recorded, "data": theirs} == {**today, "data": ours}


def chain(study: Study, member: str) -> list[Any]:
    """The jobs that a folder below measures/ comes from, the first first."""
    if member in study.solved:
        return [job(study, "problem", study.solved[member][0])]
    if member in study.members:
        name, seed, last, probe = *study.members[member], "measure", ""
    elif member in study.probed:
        name, seed, probe = study.probed[member]
        last = "probe"
    else:
        return [job(study, "homogeneity", member.partition("/")[0])]
    stages = ("train", "flow", last)
    return [job(study, "data", study.file.runs[name].data), *(job(study, stage, name, seed, probe) for stage in stages)]


def versions(study: Study, member: str) -> dict[str, int]:
    """The versions of all parts that would make a folder below measures/ today."""
    return numerics.oldest(*(of.made_by for of in chain(study, member)))
