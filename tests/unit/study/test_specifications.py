"""What `dirconv resolve` writes, the stages accept."""

from pathlib import Path

import pytest

from dirconv.study import specifications
from dirconv.study.validate import load

STUDIES = sorted(path.as_posix() for path in Path("config").glob("*.yaml") if path.name != "claims.yaml")


@pytest.mark.parametrize("path", STUDIES)
def test_every_job_of_a_study_gets_a_specification_that_its_stage_accepts(path):
    study = load(Path(path))
    jobs = [study.job("problem", name) for name in study.file.problems]
    jobs += [study.job("homogeneity", name) for name in study.file.runs]
    jobs += [study.job(stage, *key) for key in study.members.values() for stage in ("train", "flow", "measure")]
    jobs += [study.job("probe", *key) for key in study.probed.values()]
    for job in jobs:
        assert specifications.read(job.json, job.stage) == job.spec
