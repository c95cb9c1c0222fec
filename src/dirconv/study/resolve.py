"""A study as the workflow asks for it: its runs and seeds, the claims it judges, its figures, and what each reads."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirconv import numerics
from dirconv.artifacts import MANIFEST, finite, read_manifest
from dirconv.claims import registry
from dirconv.errors import UserError
from dirconv.figures import Figure
from dirconv.options import modules, plugin
from dirconv.study.configuration import Problem, Run, StudyFile
from dirconv.study.job import Job, job, member_of, outputs
from dirconv.study.specifications import Specifications


@dataclasses.dataclass(frozen=True)
class Study:
    """A valid study and what follows from it. A *member* is a folder below measures/, alexnet/seed0 for one."""

    file: StudyFile
    where: str  # the file it came from, for messages
    claims: dict[str, registry.Claim]  # those it judges, in the registry's order

    @property
    def results(self) -> str:
        return f"{self.file.results}/{self.file.study}"

    @property
    def figures_folder(self) -> str:
        return f"{self.file.figures_folder}/{self.file.study}"

    @property
    def specifications(self) -> Specifications:
        return Specifications(self.file, self.where)

    job, outputs = job, outputs  # as methods

    @functools.cached_property
    def members(self) -> dict[str, tuple[str, int]]:
        """Every run and seed that is followed: 'alexnet/seed0' → ('alexnet', 0)."""
        return _seeds({name: run for name, run in self.file.runs.items() if run.flow is not None})

    @functools.cached_property
    def solved(self) -> dict[str, tuple[str, int]]:
        """Likewise, every problem and seed."""
        return _seeds(self.file.problems)

    @functools.cached_property
    def probed(self) -> dict[str, tuple[str, int, str]]:
        """Likewise, every run and seed with each of its probes: 'resnet/degree-seed0' → ('resnet', 0, 'degree')."""
        return {
            member_of("probe", name, seed, probe): (name, seed, probe)
            for name, seed in self.members.values()
            for probe in self.file.runs[name].probes
        }

    def kind(self, problem: str) -> str:
        """Which small problem an entry of `problems` is."""
        return self.file.problems[problem].problem["name"]

    def evidence(self, claim: str) -> list[str]:
        """The folders that a claim reads: its members, and probes of their runs that its rule reads beside them."""
        members, probes = self.inputs(claim), registry.rule(self.claims[claim].rule).RULE.beside
        runs = {self.members[member] for member in members if member in self.members}
        beside = [m for m, (name, seed, probe) in self.probed.items() if probe in probes and (name, seed) in runs]
        return [*members, *beside]

    def inputs(self, claim: str) -> list[str]:
        """The members that a claim judges."""
        entry = self.claims[claim]
        if entry.table == "homogeneity":
            return [member_of("homogeneity", name) for name in entry.runs]
        followed = self.members
        if entry.table in modules("probes"):
            followed = {folder: key for folder, key in self.probed.items() if key[2] == entry.table}
        everyone = {**followed, **self.solved}
        return [folder for folder, (name, *_) in everyone.items() if name in (*entry.runs, entry.halved)]

    def is_reference(self, member: str) -> bool:
        """Whether measures (or a probe) stand without their trajectory; UserError if they are not of this very study.

        Snakemake cannot tell: it knows the parameters of jobs that it ran itself, not those of a clone's artifacts.
        """
        measures = Path(self.results) / "measures" / member
        trajectory = self.chain(member)[-1].inputs["trajectory"]
        if not (measures / MANIFEST).exists() or Path(trajectory).exists():
            return False
        if not self.asks_for(member, read_manifest(measures, verify=False)["specification"]):
            raise UserError(
                f"{measures}: measured with other options than {self.where} has now; delete it to run again"
            )
        return True

    def asks_for(self, member: str, specification: dict[str, Any]) -> bool:
        """Whether a folder below measures/ with this specification in its manifest is the study's of that name."""
        today = finite(self.chain(member)[-1].spec)
        if member in self.solved:
            name, seed = self.solved[member]
            return specification == {**specification, "run": name, "seed": seed, "problem": today["problem"]}
        return _same(specification, today)

    def chain(self, member: str) -> list[Job]:
        """The jobs that a folder below measures/ comes from, the first first."""
        if member in self.solved:
            return [self.job("problem", self.solved[member][0])]
        if member not in self.members and member not in self.probed:
            return [self.job("homogeneity", member.partition("/")[0])]
        stages = ("train", "flow", "measure" if member in self.members else "probe")
        key = self.members.get(member) or self.probed[member]
        return [self.job("data", self.file.runs[key[0]].data), *(self.job(stage, *key) for stage in stages)]

    def versions(self, member: str) -> dict[str, int]:
        """The versions of all parts that would make a folder below measures/ today."""
        return numerics.oldest(*(job.made_by for job in self.chain(member)))

    @property
    def shown(self) -> list[str]:
        """Every member that some claim reads or some figure shows."""
        return list(dict.fromkeys(itertools.chain(*map(self.evidence, self.claims), *self.figures.values())))

    def figure(self, name: str) -> Figure:
        """What a figure declares."""
        return plugin("figures", name, "figure").FIGURE

    @functools.cached_property
    def figures(self) -> dict[str, list[str]]:
        """The study's figures, each with the members that it shows."""
        shown = {name: self._shows(name) for name in modules("figures")}
        return {name: members for name, members in shown.items() if members}

    def _shows(self, name: str) -> list[str]:
        figure = self.figure(name)
        if figure.claimed:
            read = [m for claim, entry in self.claims.items() if entry.figure == name for m in self.inputs(claim)]
            runs = {folder.partition("/")[0] for folder in read}
            probed = [m for m, (run, _, probe) in self.probed.items() if run in runs and probe in figure.probes]
            return list(dict.fromkeys([*read, *probed]))
        if figure.problems:
            return [folder for folder, (run, _) in self.solved.items() if self.kind(run) in figure.problems]
        if figure.tables == ("homogeneity",):
            return [member_of("homogeneity", run) for run in self.file.runs]
        return list(self.members)


def _seeds(entries: Mapping[str, Run | Problem]) -> dict[str, tuple[str, int]]:
    """The member of every name and seed."""
    return {member_of("measure", name, seed): (name, seed) for name, entry in entries.items() for seed in entry.seeds}


def _same(recorded: dict[str, Any], today: dict[str, Any]) -> bool:
    """Whether measures are of what is asked for today, be it from another copy of CIFAR-10, which their page names."""
    if "data" not in today:  # a check of homogeneity
        return recorded == today
    theirs, ours = recorded.get("data", {}), today["data"]
    copied = (theirs.get("variant") or "").startswith("CIFAR-10") and ours["source"] == "cifar10"
    if copied and theirs.get("source") == "folder":
        theirs, ours = ({k: v for k, v in of.items() if k not in ("source", "variant")} for of in (theirs, ours))
    return {**recorded, "data": theirs} == {**today, "data": ours}
