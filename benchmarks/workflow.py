"""How long a study takes, and how much memory: from nothing, with nothing to do, and for one figure drawn again.

    uv run python benchmarks/workflow.py [--configfile config/<study>.yaml] [--out workflow.json] [--folder PATH]

Runs in a clean clone of HEAD in a temporary folder, with the environment it is started from. Memory is the sum of
the resident sets of Snakemake and all its jobs, sampled four times a second; the largest sum is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from dirconv.provenance import machine, now, versions

ROOT = Path(__file__).parents[1]


def timed(command: list[str], folder: Path) -> dict[str, float]:
    """Seconds and peak memory (GiB) of a command and all its children; fails if the command does."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder / "src")}
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    peak = [0]

    def watch() -> None:
        whole = psutil.Process(process.pid)
        while process.poll() is None:
            total = 0
            try:
                family = [whole, *whole.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for one in family:
                try:
                    total += one.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total)
            time.sleep(0.25)

    watcher = threading.Thread(target=watch)
    watcher.start()
    if process.wait():
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    watcher.join()
    return {"seconds": round(time.monotonic() - start, 1), "peak_GiB": round(peak[0] / 2**30, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configfile", default=None)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "workflow.json")
    parser.add_argument("--folder", type=Path, default=None, help="where the clone is kept; by default it is not")
    options = parser.parse_args()
    study = ["--configfile", options.configfile] if options.configfile else []
    command = ["snakemake", "--cores", "2", *study, "--quiet", "all"]
    with tempfile.TemporaryDirectory() as temporary:
        clone = options.folder or Path(temporary) / "dirconv"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        name = Path(options.configfile or "digits.yaml").stem
        for part in ("results", "figures"):  # what is committed of the study is not nothing
            shutil.rmtree(clone / part / name, ignore_errors=True)
        rows = {"from nothing": timed(command, clone), "nothing to be done": timed(command, clone)}
        (clone / "figures" / name / "alignment.png").unlink()
        one = ["snakemake", "figures", "--cores", "2", *study, "--quiet", "all"]
        rows["one figure drawn again"] = timed(one, clone)
    record = {
        "created": now(),
        "machine": machine(),
        "versions": versions(),
        "command": " ".join(command),
        "rows": rows,
    }
    options.out.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
