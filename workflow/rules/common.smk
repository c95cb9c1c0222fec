# The study, validated in full, and what the rules ask of it. Bad configuration ends here: one line, exit code 2.
import json
import os
import sys
from pathlib import Path

from dirconv import numerics
from dirconv.claims import calibration, registry
from dirconv.errors import UserError
from dirconv.options import did_you_mean
from dirconv.study import places
from dirconv.study.validate import load

DEFAULT_STUDY = "config/digits.yaml"


def stop(message):
    """One clear line instead of a traceback."""
    print(f"dirconv: error: {message}", file=sys.stderr)
    sys.exit(2)


# A `configfile:` directive would be merged with the file on the command line, so that the default study leaked into
# every other: the default is read only when no file is given, and a study file is read by dirconv itself.
CONFIG_FILES = [Path(os.path.relpath(path)) for path in workflow.overwrite_configfiles] or [Path(DEFAULT_STUDY)]
if len(CONFIG_FILES) > 1:
    stop(f"--configfile: a study file stands alone; give one, not {len(CONFIG_FILES)}")
STUDY_FILE = CONFIG_FILES[0]
OVERRIDES = dict(workflow.config_settings.config or {})
try:
    STUDY = load(STUDY_FILE, OVERRIDES)
except UserError as error:
    stop(error)

for argument in sys.argv[1:]:
    if argument.startswith("claim_") and argument.removeprefix("claim_") not in STUDY.claims:
        known = [f"claim_{name}" for name in STUDY.claims]
        stop(f"{argument}: unknown claim in the study {STUDY.file.study}{did_you_mean(argument, known)}")

# Where images lie travels in the environment and not in a rule's parameters: a moved folder must not train again.
os.environ[places.VARIABLE] = json.dumps({name: places.of(STUDY.specifications.data(name)) for name in STUDY.file.data})

# cuBLAS is deterministic only with a workspace of fixed size; read where a job starts
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

RESULTS = STUDY.results
for folder in (Path(RESULTS), Path(STUDY.figures_folder)):
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        stop(f"{existing}: cannot be written to; make it a writable folder, or set results and figures_folder")
FIGURES = [f"{STUDY.figures_folder}/{name}.png" for name in STUDY.figures]
LOGS = f"{RESULTS}/logs"

# Measures that stand without their trajectory (a fresh clone that holds reference artifacts, or a trajectory deleted
# to save space) are sources: no rule makes them, so nothing can schedule the training behind them. If the study has
# been edited since, this ends here and says which folder to delete.
NONE = "(?!)"  # a pattern that nothing matches
try:
    LIVE = [key for member, key in STUDY.members.items() if not STUDY.is_reference(member)]
    LIVE_PROBES = [key for member, key in STUDY.probed.items() if not STUDY.is_reference(member)]
except UserError as error:
    stop(error)


def one_of(values):
    """A wildcard's constraint."""
    return "|".join(sorted({str(value) for value in values})) or NONE


def job(stage):
    """What Snakemake asks for when it knows the wildcards: the stage's job of this study."""
    return lambda w: STUDY.job(stage, **dict(w.items()))


def spec(stage):
    return lambda w: job(stage)(w).json


def versions(stage):
    """Of the code that the job goes through: a raise reruns it, an edit that moves no number does not."""
    return lambda w: job(stage)(w).versions


def inputs(stage):
    """The manifests of what a job reads, and tables beside them, which need only be there.

    `ancient` is used for nothing else: Snakemake does not look for changed parameters downstream of a job that runs,
    so a rule all of whose running inputs are ancient would be passed over.
    """

    def of(w):
        found = dict(job(stage)(w).inputs)
        return {**found, "tables": [ancient(path) for path in found["tables"]]} if "tables" in found else found

    return of


def outputs(stage, **wildcards):
    """The files that a stage's jobs write, as a pattern."""
    return STUDY.outputs(stage, **wildcards)
