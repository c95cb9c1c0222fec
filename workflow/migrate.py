"""Once: the manifests of committed measures, from hashes of source text to declared versions.

    python workflow/migrate.py OLD

OLD is a checkout of the last commit with hashes. Its own code says first whether any committed measure is stale; one
that is ends this. Then every manifest loses `code`, and what it said of its making is gathered under `made_by`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from dirconv import artifacts
from dirconv.study import references
from dirconv.study.validate import load

STUDIES = ("theorems", "cifar10-small", "cifar10-reduced", "reviewers", "cifar10-reviewers")
CHECK = """
import json, sys
from pathlib import Path
from dirconv import artifacts
from dirconv.stages import audit, resolve
stale = {}
for name in sys.argv[1:]:
    study = resolve.load(Path(f"config/{name}.yaml"))
    folders = sorted(path.parent for path in Path(f"results/{name}/measures").glob("*/*/manifest.json"))
    members = [folder.relative_to(f"results/{name}/measures").as_posix() for folder in folders]
    stale[name] = {m: audit._stale(artifacts.read_manifest(Path(f"results/{name}/measures") / m), study.code(m))
                   for m in members}
print(json.dumps(stale))
"""


def main(old: Path) -> None:
    """See above."""
    command = [sys.executable, "-c", CHECK, *STUDIES]
    environment = {**os.environ, "PYTHONPATH": str(old / "src")}
    done = subprocess.run(command, cwd=old, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    stale = json.loads(done.stdout)
    count = sum(len(members) for members in stale.values())
    if any(any(members.values()) for members in stale.values()):
        sys.exit(
            "stale by its hash: "
            + ", ".join(m for members in stale.values() for m, is_stale in members.items() if is_stale)
        )
    for name, members in stale.items():
        study = load(Path(f"config/{name}.yaml"))
        for member in members:
            folder = Path(study.results) / "measures" / member
            manifest = artifacts.read_manifest(folder)
            if "made_by" in manifest and "numerics" in manifest["made_by"]:
                continue
            artifacts.write_json(folder / artifacts.MANIFEST, migrated(manifest, study, member))
    print(f"{count} folders of measures, none stale by its hash: migrated")


def migrated(manifest: dict, study, member: str) -> dict:
    """The manifest in its new form."""
    jobs = references.chain(study, member)
    new = {key: value for key, value in manifest.items() if key not in ("code", "versions", "machine", "created")}
    new["made_by"] = gathered(manifest, study.versions(member), manifest["specification"].get("threads", 1))
    if "trajectory" in manifest:
        flow = artifacts_of(jobs, ("data", "train", "flow"))
        threads = manifest["specification"]["threads"]
        new["trajectory"] = {
            "made_by": gathered(manifest["trajectory"], flow, threads),
            "files": manifest["trajectory"]["files"],
        }
    return new


def artifacts_of(jobs: list, stages: tuple[str, ...]) -> dict[str, int]:
    """The versions of these stages' jobs."""
    from dirconv import numerics

    return numerics.oldest(*(job.made_by for job in jobs if job.stage in stages))


def gathered(record: dict, numerics: dict[str, int], threads: int) -> dict:
    """`made_by` from what a manifest said before; which vector instructions were used was not recorded."""
    machine = record["machine"]
    first = {"processor": machine["processor"], "cpu_capability": None}
    return {
        "numerics": numerics,
        "commit": None,
        "versions": record["versions"],
        "machine": {**first, **{k: v for k, v in machine.items() if k not in first}, "threads": threads},
        "created": record["created"],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
