"""A study as the workflow asks for it: its runs and seeds, the claims it judges, its figures, and what each reads."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping

from dirconv.claims import registry
from dirconv.figures import Figure
from dirconv.options import modules, plugin
from dirconv.study.configuration import Problem, Run, StudyFile
from dirconv.study.job import job, member, outputs
from dirconv.study.references import is_reference, versions
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
    is_reference, versions = is_reference, versions

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
            member("probe", name, seed, probe): (name, seed, probe)
            for name, seed in self.members.values()
            for probe in self.file.runs[name].probes
        }

    def kind(self, problem: str) -> str:
        """Which small problem an entry of `problems` is."""
        return self.file.problems[problem].problem["name"]

    def inputs(self, claim: str) -> list[str]:
        """The members that a claim reads."""
        entry = self.claims[claim]
        if entry.table == "homogeneity":
            return [member("homogeneity", name) for name in entry.runs]
        followed = self.members
        if entry.table in modules("probes"):
            followed = {folder: key for folder, key in self.probed.items() if key[2] == entry.table}
        everyone = {**followed, **self.solved}
        return [folder for folder, (name, *_) in everyone.items() if name in (*entry.runs, entry.halved)]

    @property
    def shown(self) -> list[str]:
        """Every member that some claim reads or some figure shows."""
        return list(dict.fromkeys(itertools.chain(*map(self.inputs, self.claims), *self.figures.values())))

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
            return [member("homogeneity", run) for run in self.file.runs]
        return list(self.members)


def _seeds(entries: Mapping[str, Run | Problem]) -> dict[str, tuple[str, int]]:
    """The member of every name and seed."""
    return {member("measure", name, seed): (name, seed) for name, entry in entries.items() for seed in entry.seeds}
