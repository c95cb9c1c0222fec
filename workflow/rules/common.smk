# The study, validated in full, and what the rules ask of it. Bad configuration ends here: one line, exit code 2.
import json
import os
import sys
from pathlib import Path

from dirconv.claims import calibration, registry
from dirconv.errors import UserError
from dirconv.options import did_you_mean, modules
from dirconv.stages import _specification, probe, problem, resolve

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
    STUDY = resolve.load(STUDY_FILE, OVERRIDES)
except UserError as error:
    stop(error)

for argument in sys.argv[1:]:
    if argument.startswith("claim_") and argument.removeprefix("claim_") not in STUDY.claims:
        known = [f"claim_{name}" for name in STUDY.claims]
        stop(f"{argument}: unknown claim in the study {STUDY.study.study}{did_you_mean(argument, known)}")

# Where images lie travels in the environment and not in a rule's parameters: a moved folder must not train again.
os.environ[_specification.PLACES_VARIABLE] = json.dumps(
    {name: _specification.places(STUDY.data_options(name)) for name in STUDY.study.data}
)

# cuBLAS is deterministic only with a workspace of fixed size; read where a job starts
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

RESULTS = STUDY.results
for folder in (Path(RESULTS), Path(STUDY.figures_folder)):
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        stop(f"{existing}: cannot be written to; make it a writable folder, or set results and figures_folder")
RUNS = STUDY.study.runs
FIGURES = [f"{STUDY.figures_folder}/{name}.png" for name in STUDY.figures]
LOGS = f"{RESULTS}/logs"

# Measures that stand without their trajectory (a fresh clone that holds reference artifacts, or a trajectory deleted
# to save space) are sources: no rule makes them, so nothing can schedule the training behind them. If the study has
# been edited since, this ends here and says which folder to delete.
NONE = "(?!)"  # a pattern that nothing matches
try:
    LIVE = [member for member in STUDY.members if not STUDY.is_reference(member)]
    LIVE_PROBES = [STUDY.probed[member] for member in STUDY.probed if not STUDY.is_reference(member)]
except UserError as error:
    stop(error)


def as_json(values):
    """A specification as one line of JSON."""
    return json.dumps(values, ensure_ascii=False)


def measures(members, tables):
    """What a claim or figure reads. The manifests hold every checksum; the tables need only be there.

    `ancient` is used for nothing else: Snakemake does not look for changed parameters downstream of a job that runs,
    so a rule all of whose running inputs are ancient would be passed over.
    """
    folders = [f"{RESULTS}/measures/{member}" for member in members]
    return {
        "manifests": [f"{folder}/manifest.json" for folder in folders],
        "tables": [ancient(f"{folder}/{table}.parquet") for folder in folders for table in tables],
    }


def split(wildcards):
    """The prepared split of a run."""
    return f"{RESULTS}/data/{RUNS[wildcards.run].data}/manifest.json"
