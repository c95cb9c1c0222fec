"""The command line: one subcommand a stage. Bad input: one line on standard error, exit code 2, no traceback."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import dirconv
from dirconv import artifacts
from dirconv.errors import Unfinished, UserError

UNFINISHED = 75  # exit code of a job whose time limit was reached: the shell's "try again" (EX_TEMPFAIL)
MODULES = {"claims": "claims_table"}  # of `dirconv.stages`, where it is not named after its command

STAGES = {  # what each does, and its arguments in the order of its module's `run`
    "data": ("write a study's split of a source of images", "spec out name"),
    "problem": ("follow a small problem whose answer is known, from all its seeds", "spec out"),
    "homogeneity": ("check a network's declared degree", "spec out"),
    "train": ("SGD until the risk is below ℓ(0)", "spec split check out checkpoints log seconds"),
    "flow": ("follow the gradient flow from there", "spec split start out checkpoints log seconds last"),
    "measure": ("tables from a trajectory", "spec split start trajectory out"),
    "probe": ("one further table from a trajectory", "spec split start trajectory out"),
    "claim": ("judge a claim", "claim registry measures members out"),
    "figure": ("draw a figure (PNG, PDF, CSV)", "figure measures members out"),
    "schema": ("write the JSON schema of study files", "out"),
    "claims": ("write the tables of claims into Markdown pages", "registry results pages"),
}
REQUIRED_PATH = {"type": Path, "required": True, "metavar": "PATH"}
ARGUMENTS: dict[str, dict[str, Any]] = {  # those that are no required path
    "spec": {"required": True, "help": "JSON, or a file of it; see `dirconv resolve`"},
    "name": {"required": True, "help": "of the data set in its study file"},
    "seconds": {
        "type": float,
        "help": f"time limit: stop then with exit code {UNFINISHED}; rerun the same command to resume",
    },
    "last": {"action": "store_true", "help": "at the time limit, end the run there (stop: time) and write it"},
    "claim": {"required": True},
    "figure": {"required": True},
    "members": {"nargs": "+", "help": "folders below --measures, e.g. alexnet/seed0"},
    "results": {**REQUIRED_PATH, "help": "folder of the studies' results: every audit in it is shown"},
    "pages": {
        "nargs": "+",
        "type": Path,
        "help": "pages with lines <!-- claims:NAME --> and <!-- /claims:NAME -->",
    },
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

    def command(name: str, text: str, arguments: str = "", description: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=description or text)
        for argument in arguments.split():
            positional = argument in ("members", "pages")
            added.add_argument(argument if positional else f"--{argument}", **ARGUMENTS.get(argument, REQUIRED_PATH))
        return added

    resolve = command("resolve", "print a job's specification as JSON", "study")
    jobs = [name for name, (_, arguments) in STAGES.items() if "spec" in arguments.split() and name != "measure"]
    resolve.add_argument("--job", required=True, choices=jobs)
    resolve.add_argument(
        "--name", required=True, help="of the run (of the data set for --job data, of the problem for --job problem)"
    )
    resolve.add_argument("--seed", type=int)
    resolve.add_argument("--probe", help="for --job probe: which of the run's")

    for name, (text, arguments) in STAGES.items():
        command(name, text, arguments)

    calibrate = command("calibrate", "judge trajectories from outside, or those whose answer is known", "", CALIBRATE)
    either = calibrate.add_mutually_exclusive_group(required=True)
    either.add_argument(
        "--cases", type=Path, metavar="PARQUET", help="trajectories to judge; verdicts go to stdout, JSON"
    )
    either.add_argument("--out", type=Path, metavar="PATH", help="where the scores on known trajectories are written")
    calibrate.add_argument("--registry", type=Path, default=Path("config/claims.yaml"), metavar="PATH")

    audit = command("audit", "write a study's audit, or check one")
    either = audit.add_mutually_exclusive_group(required=True)
    either.add_argument("--study", type=Path, metavar="CONFIG", help="study file whose audit is to be written")
    either.add_argument("--check", type=Path, metavar="AUDIT", help="audit.json to verify and recompute")
    audit.add_argument("--set", default="{}", metavar="JSON", help="top-level keys that replace the study file's")
    command("workflow", "run Snakemake with the arguments that follow, after a look at the study files they name")
    check = command("check", "exit 1 if a verdict that must hold does not", "audit")
    check.add_argument("--out", type=Path, metavar="PATH", help="written if all hold")
    return parser


def _run(options: argparse.Namespace) -> int:
    """Each stage is imported only when it is asked for: a figure must not wait for torch."""
    if options.command in STAGES:
        stage = importlib.import_module(f"dirconv.stages.{MODULES.get(options.command, options.command)}")
        values = {name: getattr(options, name) for name in STAGES[options.command][1].split()}
        if "spec" in values:
            from dirconv.study import specifications

            values["spec"] = specifications.read(options.spec, options.command)
        stage.run(*values.values())
    elif options.command == "resolve":
        from dirconv.study import job, validate

        study = validate.load(options.study)
        print(json.dumps(job.asked(study, options.job, options.name, options.seed, options.probe), indent=2))
    elif options.command == "calibrate":
        from dirconv.stages import calibrate

        if options.cases is None:
            calibrate.run(options.registry, options.out)
        else:
            print(json.dumps(calibrate.judged(options.registry, options.cases), indent=1))
    elif options.command == "audit":
        from dirconv.stages import audit

        if options.check is None:
            audit.run(options.study, options.set)
            return 0
        differences = audit.check(options.check)
        print("\n".join(differences or [f"{options.check}: every checksum and every verdict as audited"]))
        return 1 if differences else 0
    elif options.command == "check":
        from dirconv.stages import audit

        failed = audit.expectations(options.audit)
        for line in failed:
            print(line, file=sys.stderr)
        if options.out and not failed:
            artifacts.write_json(options.out, {"audit": str(options.audit), "failed": []})
        return 1 if failed else 0
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one stage; the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that is not UTF-8 lacks some of our signs
        sys.stdout.reconfigure(errors="backslashreplace")
    warnings.filterwarnings("ignore", message=".*torch.jit.script.*")  # torch's own, on the way to forward mode
    try:
        words = sys.argv[1:] if arguments is None else arguments
        if words[:1] == ["workflow"] and words[1:] not in (["-h"], ["--help"]):  # the rest is Snakemake's
            from dirconv.stages import workflow

            return workflow.run(words[1:])
        return _run(_parser().parse_args(words))
    except UserError as error:
        print(f"dirconv: error: {error}", file=sys.stderr)
        return 2
    except Unfinished as where:
        print(f"dirconv: {where}; time limit, rerun the same command to resume", file=sys.stderr)
        return UNFINISHED
    except BrokenPipeError:  # `dirconv … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # of a log, say: the disk is full, or a limit is reached
        where = f"{error.filename}: " if error.filename else ""
        what = f"{where}{error.strerror or error}; free some space, or name files that can be read and written"
        print(f"dirconv: error: {' '.join(what.split())}", file=sys.stderr)
        return 2
