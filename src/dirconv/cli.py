"""The command line: one subcommand a stage. Bad input: one line on standard error, exit code 2, no traceback."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import warnings
from pathlib import Path

import dirconv
from dirconv.errors import Unfinished, UserError

UNFINISHED = 75  # exit code of a job whose time limit was reached: the shell's "try again" (EX_TEMPFAIL)
IN_PIECES = ("train", "flow")  # stages that can stop after --seconds and be resumed

JOBS = {  # stages that run a specification: what each does, and the paths that it takes, in the order of its `run`
    "data": ("write a study's split of a source of images", ["out"]),
    "problem": ("follow a small problem whose answer is known, from all its seeds", ["out"]),
    "homogeneity": ("check a network's declared degree", ["out"]),
    "train": ("SGD until the risk is below ℓ(0)", ["split", "check", "out", "checkpoints", "log"]),
    "flow": ("follow the gradient flow from there", ["split", "start", "out", "checkpoints", "log"]),
    "measure": ("tables from a trajectory", ["split", "start", "trajectory", "out"]),
    "probe": ("one further table from a trajectory", ["split", "start", "trajectory", "out"]),
}

CALIBRATE = """\
--cases takes a Parquet file with a row for each snapshot and the columns case, tau, zeta, tan, cos, smoothed_margin and
risk_log (ln of the risk of the exponential loss): τ = ln‖W‖ and the path length ζ of W/‖W‖ from the start on, tan and
cos of the angle between W and the velocity. The claims direction_converges and alignment are judged on each case."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> None:
        self.exit(2, f"dirconv: error: {message}; see `{self.prog} --help`\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="dirconv", description=dirconv.__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=dirconv.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="STAGE", parser_class=_Parser)

    def stage(name: str, text: str, *paths: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        for path in paths:
            command.add_argument(f"--{path}", type=Path, required=True, metavar="PATH")
        return command

    resolve = stage("resolve", "print a job's specification as JSON", "study")
    resolve.add_argument("--job", required=True, choices=[job for job in JOBS if job != "measure"])
    resolve.add_argument(
        "--name", required=True, help="of the run (of the data set for --job data, of the problem for --job problem)"
    )
    resolve.add_argument("--seed", type=int, default=None)
    resolve.add_argument("--probe", default=None, help="for --job probe: which of the run's")

    for name, (text, paths) in JOBS.items():
        command = stage(name, text, *paths)
        command.add_argument("--spec", required=True, help="JSON, or a file of it; see `dirconv resolve`")
        if name == "data":
            command.add_argument("--name", required=True, help="of the data set in its study file")
        if name in IN_PIECES:
            command.add_argument(
                "--seconds",
                type=float,
                default=None,
                help=f"time limit: stop then with exit code {UNFINISHED}; rerun the same command to resume",
            )
        if name == "flow":
            command.add_argument(
                "--last", action="store_true", help="at the time limit, end the run there (stop: time) and write it"
            )

    claim = stage("claim", "judge a claim", "registry", "measures", "out")
    claim.add_argument("--claim", required=True)
    claim.add_argument("members", nargs="+", help="folders below --measures, e.g. alexnet/seed0")
    calibrate = commands.add_parser(
        "calibrate", help="judge trajectories from outside, or those whose answer is known", description=CALIBRATE
    )
    chosen = calibrate.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "--cases", type=Path, metavar="PARQUET", help="trajectories to judge; verdicts go to stdout, JSON"
    )
    chosen.add_argument("--out", type=Path, metavar="PATH", help="where the scores on known trajectories are written")
    calibrate.add_argument("--registry", type=Path, default=Path("config/claims.yaml"), metavar="PATH")
    figure = stage("figure", "draw a figure (PNG, PDF, CSV)", "measures", "out")
    figure.add_argument("--figure", required=True)
    figure.add_argument("members", nargs="+")

    audit = commands.add_parser("audit", help="write a study's audit, or check one")
    chosen = audit.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--study", type=Path, metavar="CONFIG", help="study file whose audit is to be written")
    chosen.add_argument("--check", type=Path, metavar="AUDIT", help="audit.json to verify and recompute")
    audit.add_argument("--set", default="{}", metavar="JSON", help="top-level keys that replace the study file's")
    check = stage("check", "exit 1 if a verdict that must hold does not", "audit")
    check.add_argument("--out", type=Path, metavar="PATH", help="written if all hold")
    stage("schema", "write the JSON schema of study files", "out")
    stage("claims", "write the tables of claims in a README from the registry", "registry", "readme")
    return parser


def _run(options: argparse.Namespace) -> int:
    """Each stage is imported only when it is asked for: a figure must not wait for torch."""
    command = options.command
    if command in JOBS:
        _job(options)
    elif command == "resolve":
        from dirconv.study import job, validate

        study = validate.load(options.study)
        print(json.dumps(job.asked(study, options.job, options.name, options.seed, options.probe), indent=2))
    elif command == "claim":
        from dirconv.stages import claim

        claim.run(options.claim, options.registry, options.measures, options.members, options.out)
    elif command == "calibrate":
        from dirconv.stages import calibrate

        if options.cases is None:
            calibrate.run(options.registry, options.out)
        else:
            print(json.dumps(calibrate.judged(options.registry, options.cases), indent=1))
    elif command == "figure":
        from dirconv.stages import figure

        figure.run(options.figure, options.measures, options.members, options.out)
    elif command == "audit":
        return _audit(options)
    elif command == "check":
        return _check(options)
    elif command == "schema":
        from dirconv.stages import schema

        schema.run(options.out)
    elif command == "claims":
        from dirconv.stages import claims_table

        claims_table.run(options.registry, options.readme)
    return 0


def _job(options: argparse.Namespace) -> None:
    from dirconv.study import specifications

    stage = importlib.import_module(f"dirconv.stages.{options.command}")
    arguments = [getattr(options, path) for path in JOBS[options.command][1]]
    further = {key: getattr(options, key) for key in ("name", "seconds", "last") if hasattr(options, key)}
    stage.run(specifications.read(options.spec), *arguments, **further)


def _audit(options: argparse.Namespace) -> int:
    from dirconv.stages import audit

    if options.check is None:
        audit.run(options.study, options.set)
        return 0
    differences = audit.check(options.check)
    for line in differences:
        print(line)
    if not differences:
        print(f"{options.check}: every checksum and every verdict as audited")
    return 1 if differences else 0


def _check(options: argparse.Namespace) -> int:
    from dirconv.stages import audit

    failed = audit.expectations(options.audit)
    for line in failed:
        print(line, file=sys.stderr)
    if failed:
        return 1
    if options.out:
        from dirconv import artifacts

        artifacts.write_json(options.out, {"audit": str(options.audit), "failed": []})
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one stage; the exit code."""
    warnings.filterwarnings("ignore", message=".*torch.jit.script.*")  # torch's own, on the way to forward mode
    try:
        return _run(_parser().parse_args(arguments))
    except UserError as error:
        print(f"dirconv: error: {error}", file=sys.stderr)
        return 2
    except Unfinished as where:
        print(f"dirconv: {where}; time limit, rerun the same command to resume", file=sys.stderr)
        return UNFINISHED
    except BrokenPipeError:  # `dirconv … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
