"""Which jobs a folder below measures/ comes from, and whether it stands without them: a clone's reference artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dirconv import numerics
from dirconv.artifacts import MANIFEST, finite, read_manifest
from dirconv.errors import UserError
from dirconv.study.job import Job

if TYPE_CHECKING:
    from dirconv.study.resolve import Study


def is_reference(study: Study, member: str) -> bool:
    """Whether measures (or a probe) stand without their trajectory; UserError if they are not of this very study.

    Snakemake cannot tell: it knows the parameters of jobs that it ran itself, not those of a clone's artifacts.
    """
    measures = Path(study.results) / "measures" / member
    today = chain(study, member)[-1]
    if not (measures / MANIFEST).exists() or Path(today.inputs["trajectory"]).exists():
        return False
    if not _same(read_manifest(measures, verify=False)["specification"], finite(today.spec)):
        raise UserError(f"{measures}: measured with other options than {study.where} has now; delete it to run again")
    return True


def _same(recorded: dict[str, Any], today: dict[str, Any]) -> bool:
    """Whether measures are of what is asked for today, be it from another copy of CIFAR-10, which their page names."""
    theirs, ours = recorded["data"], today["data"]
    copied = (theirs.get("variant") or "").startswith("CIFAR-10") and ours["source"] == "cifar10"
    if copied and theirs["source"] == "folder":
        theirs, ours = ({k: v for k, v in of.items() if k not in ("source", "variant")} for of in (theirs, ours))
    return {**recorded, "data": theirs} == {**today, "data": ours}


def chain(study: Study, member: str) -> list[Job]:
    """The jobs that a folder below measures/ comes from, the first first."""
    if member in study.solved:
        return [study.job("problem", study.solved[member][0])]
    if member not in study.members and member not in study.probed:
        return [study.job("homogeneity", member.partition("/")[0])]
    stages = ("train", "flow", "measure" if member in study.members else "probe")
    key = study.members.get(member) or study.probed[member]
    return [study.job("data", study.file.runs[key[0]].data), *(study.job(stage, *key) for stage in stages)]


def versions(study: Study, member: str) -> dict[str, int]:
    """The versions of all parts that would make a folder below measures/ today."""
    return numerics.oldest(*(job.made_by for job in chain(study, member)))
