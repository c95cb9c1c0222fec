"""A study file, validated in full, and the plain JSON specifications that its jobs get.

Each job's specification holds exactly what its result depends on, so that a change reruns what it must and no more:
where images lie, for instance, is left out, what they are is told by the checksum of the prepared split.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from pathlib import Path
from typing import Any

from dirconv import data, flow, models, problems
from dirconv.artifacts import MANIFEST, finite, read_manifest
from dirconv.claims import registry
from dirconv.config import Problem, Run, Study
from dirconv.errors import UserError
from dirconv.options import Train, did_you_mean, load_yaml, member, modules, parse
from dirconv.stages import probe as probe_stage
from dirconv.stages import problem as problem_stage
from dirconv.stages._specification import code, what

NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
SIDE = 32  # pixels: what the networks are made for
NUMBERED = ("runs", "problems")  # parts of a study in which no name looks like a number


@dataclasses.dataclass(frozen=True)
class Resolved:
    """A valid study and what follows from it."""

    study: Study
    where: str  # the file it came from, for messages
    claims: dict[str, registry.Claim]  # those it judges, in the registry's order

    @property
    def results(self) -> str:
        return f"{self.study.results}/{self.study.study}"

    @property
    def figures_folder(self) -> str:
        return f"{self.study.figures_folder}/{self.study.study}"

    @property
    def members(self) -> dict[str, tuple[str, int]]:
        """Every run and seed that is followed: 'alexnet/seed0' → ('alexnet', 0)."""
        return {
            f"{name}/seed{seed}": (name, seed)
            for name, run in self.study.runs.items()
            if run.flow is not None
            for seed in run.seeds
        }

    @property
    def solved(self) -> dict[str, tuple[str, int]]:
        """Likewise, every problem and seed."""
        return {
            f"{name}/seed{seed}": (name, seed)
            for name, problem in self.study.problems.items()
            for seed in problem.seeds
        }

    @property
    def probed(self) -> dict[str, tuple[str, int, str]]:
        """Likewise, every run and seed with each of its probes: 'resnet/degree-seed0' → ('resnet', 0, 'degree')."""
        return {
            f"{name}/{probe}-seed{seed}": (name, seed, probe)
            for name, seed in self.members.values()
            for probe in self.study.runs[name].probes
        }

    def inputs(self, claim: str) -> list[str]:
        """The folders below measures/ that a claim reads."""
        chosen = self.claims[claim]
        if chosen.table == "homogeneity":
            return [f"{name}/homogeneity" for name in chosen.runs]
        followed = self.members
        if chosen.table in modules("probes"):
            followed = {member: key for member, key in self.probed.items() if key[2] == chosen.table}
        everyone = {**followed, **self.solved}
        return [member for member, (name, *_) in everyone.items() if name in (*chosen.runs, chosen.halved)]

    @property
    def shown(self) -> list[str]:
        """Every folder below measures/ that some claim reads or some figure shows."""
        read = [member for name in self.claims for member in self.inputs(name)]
        return list(dict.fromkeys([*read, *(member for members in self.figures.values() for member in members)]))

    @functools.cached_property
    def figures(self) -> dict[str, list[str]]:
        """The study's figures, each with the folders below measures/ that it shows."""
        checked = [f"{name}/homogeneity" for name in self.study.runs]
        found = {}
        for name in modules("figures"):
            figure = member("figures", name, "figure").FIGURE
            if figure.claimed:
                members = self._claimed(name, figure.probes)
            elif figure.problems:
                members = [one for one, (run, _) in self.solved.items() if self._kind(run) in figure.problems]
            else:
                members = checked if self.figure_tables(name) == ("homogeneity",) else list(self.members)
            if members:
                found[name] = members
        return found

    def _claimed(self, figure: str, probes: tuple[str, ...]) -> list[str]:
        """What the claims that a figure shows read, and these probes of the same runs."""
        read = [one for claim, entry in self.claims.items() if entry.figure == figure for one in self.inputs(claim)]
        runs = {one.partition("/")[0] for one in read}
        return list(
            dict.fromkeys([*read, *(m for m, key in self.probed.items() if key[0] in runs and key[2] in probes)])
        )

    def _kind(self, problem: str) -> str:
        return self.study.problems[problem].problem["name"]

    def figure_tables(self, figure: str) -> tuple[str, ...]:
        """The tables of measures that a figure reads."""
        return member("figures", figure, "figure").FIGURE.tables

    def is_reference(self, name: str) -> bool:
        """Whether measures (or a probe) stand without their trajectory; UserError if they are not of this very study.

        Snakemake cannot tell: it knows the parameters of jobs that it ran itself, not those of a clone's artifacts.
        """
        folder = Path(self.results) / "measures" / name
        if name in self.members:
            run, seed = self.members[name]
            specification = self.flow_specification(run, seed)
        else:
            run, seed, probe = self.probed[name]
            specification = self.probe_specification(run, seed, probe)
        trajectory = Path(self.results) / "runs" / run / f"seed{seed}"
        if not (folder / MANIFEST).exists() or (trajectory / MANIFEST).exists():
            return False
        if not _same(read_manifest(folder, verify=False)["specification"], finite(specification)):
            raise UserError(f"{folder}: measured with other options than {self.where} has now; delete it to run again")
        return True

    def code(self, name: str) -> dict[str, str]:
        """By stage, the code that would make a folder below measures/ today."""
        if name in self.members:
            specification = self.flow_specification(*self.members[name])
            found = {stage: code(stage, specification) for stage in ("train", "flow", "measure")}
            return {"data": code("data", specification["data"]), **found}
        if name in self.probed:
            specification = self.probe_specification(*self.probed[name])
            found = {stage: code(stage, specification) for stage in ("train", "flow")}
            return {"data": code("data", specification["data"]), **found, "probe": probe_stage.code(specification)}
        run = name.split("/")[0]
        if name in self.solved:
            return {"problem": problem_stage.code(self.problem_specification(run))}
        return {"homogeneity": code("homogeneity", self.network_specification(run, self.study.runs[run].seeds[0]))}

    def problem_specification(self, name: str) -> dict[str, Any]:
        """What a problem's tables depend on."""
        problem = self.study.problems[name]
        spec = problems.specification(problem.problem, f"{self.where}: problems.{name}.problem")
        return {"run": name, "problem": dataclasses.asdict(spec), "seeds": problem.seeds}

    def problem_files(self, name: str) -> list[str]:
        """The files that its stage writes, below measures/."""
        files = [*(f"{table}.parquet" for table in problem_stage.tables(self._kind(name))), MANIFEST]
        return [f"{name}/seed{seed}/{file}" for seed in self.study.problems[name].seeds for file in files]

    def data_options(self, name: str) -> dict[str, Any]:
        """What the data stage gets: what is prepared, and where it lies."""
        options = dict(self.study.data[name])
        if options.get("source") == "folder" and options.get("path") is None and self.study.images is not None:
            options["path"] = self.study.images
        return dataclasses.asdict(data.specification(options, f"{self.where}: data.{name}"))

    def network_specification(self, name: str, seed: int) -> dict[str, Any]:
        """What a network at initialization depends on."""
        run = self.study.runs[name]
        spec = models.specification(run.model, f"{self.where}: runs.{name}.model")
        degree = spec.degree if run.declared_degree is None else run.declared_degree
        train = run.train or Train()
        return {
            "run": name,
            "seed": seed,
            "model": dataclasses.asdict(spec),
            "degree": degree,
            "outputs": self._outputs(run),
            "scale": train.scale,
            "precision": run.precision,
        }

    def train_specification(self, name: str, seed: int) -> dict[str, Any]:
        """What the point where the flow starts depends on."""
        run = self.study.runs[name]
        return {
            **self.network_specification(name, seed),
            "data": what(self.data_options(run.data)),
            "loss": run.loss,
            "train": dataclasses.asdict(run.train),
            "chunk": run.chunk,
            "keep": run.keep,
            "threads": self.study.threads,
            "device": self.study.device,
        }

    def flow_specification(self, name: str, seed: int) -> dict[str, Any]:
        """What a trajectory depends on."""
        run = self.study.runs[name]
        method = dataclasses.asdict(flow.specification(run.flow, f"{self.where}: runs.{name}.flow"))
        return {
            **self.train_specification(name, seed),
            # an option that methods came to have later is left out where it is not given: old runs stay what they are
            "flow": {key: value for key, value in method.items() if value is not None},
            "stop": {key: value for key, value in dataclasses.asdict(run.stop).items() if math.isfinite(value)},
            "snapshots_per_decade": run.snapshots_per_decade,
            "frozen": run.frozen,
            "memory": run.memory,
        }

    def probe_specification(self, name: str, seed: int, probe: str) -> dict[str, Any]:
        """What a probe's table depends on."""
        return {**self.flow_specification(name, seed), "probe": probe}

    def _outputs(self, run: Run) -> int:
        classes = self.data_options(run.data)["classes"]
        return 1 if isinstance(classes, dict) else len(classes)


def _same(recorded: dict[str, Any], today: dict[str, Any]) -> bool:
    """Whether measures are of what is asked for today, be it from another copy of CIFAR-10, which their page names."""
    theirs, ours = recorded["data"], today["data"]
    copied = (theirs.get("variant") or "").startswith("CIFAR-10") and ours["source"] == "cifar10"
    if copied and theirs["source"] == "folder":
        theirs, ours = ({k: v for k, v in of.items() if k not in ("source", "variant")} for of in (theirs, ours))
    return {**recorded, "data": theirs} == {**today, "data": ours}


def study(values: dict[str, Any], where: str) -> Resolved:
    """Validate a study file's content in full: every key, name and reference. UserError in one line otherwise."""
    parsed = parse(Study, {key: _numbers(part) if key in NUMBERED else part for key, part in values.items()}, where)
    _check_names(parsed, where)
    for name, problem in parsed.problems.items():
        if name in parsed.runs:
            raise UserError(f"{where}: problems.{name}: a run has that name already; choose another")
        problems.specification(problem.problem, f"{where}: problems.{name}.problem")
    entries = registry.load(Path(parsed.registry))
    known = {**parsed.runs, **parsed.problems}
    wanted = list(entries) if parsed.claims is None else parsed.claims
    for name in wanted:
        if name not in entries:
            raise UserError(f"{where}: claims: unknown claim {name!r}{did_you_mean(name, list(entries))}")
        missing = [run for run in _needed(entries[name]) if run not in known]
        if missing and parsed.claims is not None:
            raise UserError(f"{where}: claims: {name} reads the run {missing[0]!r}, which the study lacks; add it")
        unfollowed = [r for r in _needed(entries[name]) if r in known and not _serves(known[r], entries[name])]
        if unfollowed and parsed.claims is not None:
            remedy = _remedy(known[unfollowed[0]], entries[name])
            raise UserError(f"{where}: claims: {name} reads the run {unfollowed[0]!r}; {remedy}")
    claims = {
        name: entries[name]
        for name in wanted
        if all(run in known and _serves(known[run], entries[name]) for run in _needed(entries[name]))
    }
    if not claims:
        raise UserError(f"{where}: runs: no claim of {parsed.registry} can be judged on these runs; add one it names")
    resolved = Resolved(parsed, where, claims)
    for name, run in parsed.runs.items():
        at = f"{where}: runs.{name}"
        if run.data not in parsed.data:
            raise UserError(f"{at}.data: unknown data set {run.data!r}{did_you_mean(run.data, list(parsed.data))}")
        if (run.train is None) != (run.flow is None):
            raise UserError(f"{at}: give both `train` and `flow`, or neither (the run is then only checked)")
        if run.flow is not None:
            resolved.flow_specification(name, run.seeds[0])
        else:
            resolved.network_specification(name, run.seeds[0])
        for probe in run.probes:
            member("probes", probe, f"{at}.probes")
        if run.probes and run.flow is None:
            raise UserError(f"{at}.probes: the run is only checked; give it `train` and `flow`, or ask for no probes")
        if run.loss in ("logistic", "polynomial") and resolved._outputs(run) > 1:
            raise UserError(f"{at}.loss: {run.loss} is for two classes; use cross_entropy")
    for name in parsed.data:
        size = resolved.data_options(name)["size"]
        if size != SIDE:
            raise UserError(f"{where}: data.{name}.size: the networks are for {SIDE}×{SIDE} images, got {size}")
    return resolved


def _needed(claim: registry.Claim) -> list[str]:
    """The runs without which a claim cannot be judged; one at half the tolerance only where the rule is about that."""
    paired = getattr(registry.rule(claim.rule), "PAIRED", False)
    return [*claim.runs, claim.halved] if paired else claim.runs


def _serves(run: Run | Problem, claim: registry.Claim) -> bool:
    """Whether a run has what the claim reads."""
    if isinstance(run, Problem):
        return set(claim.tables) <= set(problem_stage.tables(run.problem["name"]))
    if claim.table in modules("probes"):
        return claim.table in run.probes
    return run.flow is not None or claim.table == "homogeneity"


def _remedy(run: Run | Problem, claim: registry.Claim) -> str:
    """What a run that does not serve a claim lacks."""
    if isinstance(run, Problem):
        return f"the problem {run.problem['name']!r} does not answer with {', '.join(claim.tables)}; choose another"
    if run.flow is not None:
        return f"give it `probes: [{claim.table}]`"
    return "give it `train` and `flow`"


def _numbers(value: Any) -> Any:
    """The same with numbers for texts like 1e-5: YAML 1.1 takes those for text, having no point."""
    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    return float(value) if isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value) else value


def _check_names(parsed: Study, where: str) -> None:
    """Names become folders and words of commands."""
    named = (("study", [parsed.study]), ("runs", parsed.runs), ("problems", parsed.problems), ("data", parsed.data))
    for key, names in named:
        for name in names:
            if not re.fullmatch(NAME, name):
                raise UserError(f"{where}: {key}: {name!r} is no name; use letters, digits, -, _ and . (not first)")


def load(path: Path, overrides: dict[str, Any] | None = None) -> Resolved:
    """The study file at `path`; `overrides` replaces top-level keys (as --config KEY=VALUE does)."""
    if Path(path).is_dir():
        raise UserError(f"{path}: a folder; name a study file")
    values = load_yaml(path)
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping with the keys study, data, runs, problems")
    return study({**values, **(overrides or {})}, str(path))


def job(resolved: Resolved, stage: str, name: str, seed: int | None, probe: str | None = None) -> dict[str, Any]:
    """The specification of one job: of `dirconv data`, `problem`, `homogeneity`, `train`, `flow` or `probe`.

    `dirconv measure` takes the flow's.
    """
    known = list({"data": resolved.study.data, "problem": resolved.study.problems}.get(stage, resolved.study.runs))
    if name not in known:
        near = did_you_mean(name, known) if known else f"; {resolved.where} has none"
        raise UserError(f"--name: unknown {name!r}{near}")
    if stage == "data":
        return resolved.data_options(name)
    if stage == "problem":
        return resolved.problem_specification(name)
    if stage == "homogeneity":
        return resolved.network_specification(name, resolved.study.runs[name].seeds[0])
    followed = {member: key for member, key in resolved.members.items() if key[0] == name}
    if (name, seed) not in followed.values():
        raise UserError(f"--seed: the study follows {', '.join(followed) or f'no seed of {name}'}; name one of them")
    if stage == "train":
        return resolved.train_specification(name, seed)
    if stage == "flow":
        return resolved.flow_specification(name, seed)
    probes = resolved.study.runs[name].probes
    if probe not in probes:
        raise UserError(f"--probe: {name} asks for {', '.join(probes) or 'none'}; name one that it asks for")
    return resolved.probe_specification(name, seed, probe)
