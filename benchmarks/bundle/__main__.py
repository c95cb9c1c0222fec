"""How well `bundle` follows the flow: each part a row or more of one table, from the same starts on the same machine.

    uv run python -m benchmarks.bundle --images PATH accuracy reach large    # some parts, one after the other
    uv run python -m benchmarks.bundle --images PATH                         # all of them, in about three hours
    uv run python -m benchmarks.bundle --images PATH --quick                 # all, tiny and in minutes: do they run?
    uv run python -m benchmarks.bundle table                                 # the table in benchmarks/README.md

    accuracy   n = 200, from τ = 2.4 to 3.2: distance from the finest against seconds, for `proximal` as well
    reach      n = 200: τ in 420 s from τ = 2.5 on, tan ∠ against the speed by chords
    large      n = 1,000: τ in 900 s from ℒ = ℓ(0), tan ∠ against the speed by chords
    halving    n = 1,000: the tolerance against half of it, at every common landing (after `large`, or with it)
    smooth     smooth AlexNet, n = 500: τ and alignment in 600 s, order
    kkt        ε and δ along `reach` and `smooth` (which have to be kept), after Newton's method for the latter
    two_layer  D–1000–1: time to a mean loss of 10⁻⁴⁰ and to ε ≤ 0.05, against gradient descent
    memory     n = 1,000: peak memory, a process a method
    densenet   batch statistics, n = 100: τ against `descent` in equal time

AlexNet at a quarter of the width, airplane against automobile, logistic loss, from where SGD first ends an epoch with
ℒ < ℓ(0). Each part runs in a process of its own and writes its section of benchmarks/bundle.json when it is done. What
parts keep for one another (starts, ends of runs) lies in --work, which git ignores; of interrupted `accuracy`, runs
are taken up again if the same commit made them. --images is a folder or zip as for `folder` data sources.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.bundle import limits, others, paths, table
from dirconv.provenance import commit, machine, now, versions

RECORD = table.RECORD
PARTS = {
    "accuracy": paths.accuracy,
    "reach": paths.reach,
    "large": paths.large,
    "halving": paths.halving,
    "smooth": limits.smooth,
    "kkt": limits.certificate,
    "two_layer": others.two_layer,
    "memory": paths.memory,
    "densenet": others.densenet,
}


def parsed() -> argparse.Namespace:
    """The options, and in `same` those that a part's own process gets."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bundle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}, table; none: all")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--variant", default="CIFAR-10, JPEG copy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tolerance", type=float, default=0.02, help="of `bundle`, where a part has one")
    parser.add_argument("--repeats", type=int, default=3, help="of the runs that `accuracy` times")
    parser.add_argument("--finest", action="store_true", help="`accuracy`: proximal at 0.003 too, a second reference")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="of every limit of time, for parts in less time")
    parser.add_argument("--work", type=Path, default=Path("results/bundle-benchmark"))
    parser.add_argument("--resume", action="store_true", help="use kept runs of other commits, and of changed code")
    parser.add_argument("--quick", action="store_true", help="40 images and seconds; the record goes to --work")
    parser.add_argument("--method", default="bundle", help=argparse.SUPPRESS)  # of `one`
    options = parser.parse_args()
    for name in options.parts:
        if name not in (*PARTS, "table", "one"):
            parser.error(f"unknown part {name!r}; known: {', '.join(PARTS)}, table")
    if options.images is None and options.parts != ["table"]:
        parser.error("--images PATH is needed")
    named = ("images", "variant", "seed", "tolerance", "repeats", "threads", "share", "work")
    options.same = [word for name in named for word in (f"--{name}", str(getattr(options, name)))]
    options.same += [f"--{name}" for name in ("finest", "resume", "quick") if getattr(options, name)]
    if options.quick:
        options.work = options.work / "quick"
    return options


def main() -> None:
    """One part here, several each in its own process: so a part's peak memory is its own."""
    options = parsed()
    torch.set_num_threads(options.threads)
    if options.parts == ["one"]:
        print(json.dumps(finite(paths.one(options))))
    elif options.parts == ["table"]:
        table.write()
    elif len(options.parts) == 1:
        part(options, options.parts[0])
    else:
        failed = []
        for name in options.parts or PARTS:
            command = [sys.executable, "-m", "benchmarks.bundle", name, *options.same]
            if subprocess.run(command, check=False, env=os.environ).returncode:
                failed.append(name)
        if failed:
            sys.exit(f"failed: {', '.join(failed)}")


def part(options: argparse.Namespace, name: str) -> None:
    """Make a part and write its section."""
    path = options.work / "bundle.json" if options.quick else RECORD
    print(f"{name}:", flush=True)
    found = PARTS[name](options)
    words = " ".join("PATH" if word == str(options.images) else word for word in sys.argv[1:])
    provenance = {
        "created": now(),
        "commit": commit(),
        "machine": machine(),
        "threads": options.threads,
        "versions": versions(),
        "command": f"python -m benchmarks.bundle {words}",
    }
    # read only now: another part may have been written meanwhile
    record = json.loads(path.read_text()) if path.exists() else {}
    record[name] = finite({**provenance, **found})
    record = {each: record[each] for each in PARTS if each in record}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    print(f"{name}: written to {path}", flush=True)


def finite(value: Any) -> Any:
    """The value with null where a number is not finite, which JSON cannot say."""
    if isinstance(value, dict):
        return {str(key): finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    main()
