"""`audit --check` names what was altered after a study had run, though checksums were made good.

Two hundred flips and cuts, and more forgeries: `python -m benchmarks.faults forgery`.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
import yaml

from dirconv import artifacts
from dirconv.errors import UserError
from dirconv.stages import audit, claim, figure, problem
from dirconv.study import validate

ROOT = Path(__file__).parents[2]
CONFIG, RESULTS, FIGURES = Path("config/small.yaml"), Path("results/small"), Path("figures/small")
AUDIT = RESULTS / "audit.json"
STUDY = {
    "study": "small",
    "problems": {"mexican_hat": {"problem": {"name": "mexican_hat", "turns": 1.0, "points": 30}, "seeds": [0, 1]}},
}
ONE, OTHER = (RESULTS / "measures" / "mexican_hat" / seed for seed in ("seed0", "seed1"))


def made(study) -> None:
    """Verdicts, figures and the audit, from the measures that lie there."""
    measures = RESULTS / "measures"
    for name in study.claims:
        claim.run(name, Path(study.file.registry), measures, study.evidence(name), RESULTS / f"claims/{name}.json")
    for name, members in study.figures.items():
        figure.run(name, measures, members, FIGURES / f"{name}.png")
    audit.run(CONFIG, "{}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study of one small problem, run to its end."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "config").mkdir()
    shutil.copy(ROOT / "config" / "claims.yaml", folder / "config")
    (folder / CONFIG).write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        study = validate.load(CONFIG)
        problem.run(study.specifications.problem("mexican_hat"), RESULTS / "measures" / "mexican_hat")
        artifacts.write_json(RESULTS / "calibration.json", {"scores": {}})
        made(study)
    return folder


@pytest.fixture
def study(whole, tmp_path, monkeypatch):
    """A copy of it, in which a test may forge; the scores of the rules, half a minute, are left out."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(audit.calibrate, "scores", lambda claims: {})
    return validate.load(CONFIG)


def rewritten(path: Path, change) -> None:
    """A record changed, and its checksum made good."""
    record = artifacts.read_json(path)
    change(record)
    artifacts.write_json(path, record)


def named() -> str:
    return "\n".join(audit.check(AUDIT))


def test_what_nobody_touched_is_named_by_nothing(study):
    assert audit.check(AUDIT) == []


def test_every_kind_of_file_is_named_when_a_byte_of_it_is_another(study):
    draw = random.Random(0)
    files = [p for folder in (RESULTS, FIGURES) for p in sorted(folder.rglob("*")) if p.is_file()]
    assert {path.suffix for path in files} == {".json", ".parquet", ".md", ".html", ".png", ".pdf", ".csv"}
    for path in files:
        content = path.read_bytes()
        changed = bytearray(content)
        changed[draw.randrange(len(content))] ^= draw.randrange(1, 256)
        for altered in (bytes(changed), content[:-1], b""):
            path.write_bytes(altered)
            try:
                said = named()
            except UserError as error:
                said = str(error)
            assert str(path) in said, path
        path.write_bytes(content)


def test_white_space_in_an_audit_is_an_alteration(study):
    AUDIT.write_text(AUDIT.read_text(encoding="utf-8").replace("\n  ", "\n\t"), encoding="utf-8")
    assert named() == f"{AUDIT}: not as it was written; restore it"


def test_an_audit_that_says_other_than_its_records_is_named(study):
    name = next(iter(study.claims))
    for key, value in {"statement": "Another.", "must_be": [], "reason": "None.", "figure": "x"}.items():
        original = AUDIT.read_bytes()
        rewritten(AUDIT, lambda record, key=key, value=value: record["claims"][0].update({key: value}))
        assert (f"{name}: {key} is not as in" in named()) == (key != "figure")
        AUDIT.write_bytes(original)
    rewritten(AUDIT, lambda record: record["claims"].pop(0))
    assert f"claims: not those that {CONFIG} asks for ({name}" in named()


def test_a_row_of_the_page_that_the_measures_do_not_bear_out_is_named(study):
    rewritten(AUDIT, lambda record: record["problems"]["mexican_hat"]["median"].update(tau=99.0))
    assert named() == "problems: not what the manifests of the measures say"


def test_measures_of_another_seed_are_named_when_all_is_made_again(study):
    shutil.copytree(OTHER, ONE, dirs_exist_ok=True)
    with pytest.raises(UserError, match="made with other options"):
        made(study)
    rewritten(ONE / "manifest.json", lambda record: record["specification"].update(seed=0))
    made(study)
    assert "path.parquet is that of mexican_hat/seed" in named()


def test_a_table_that_is_not_what_its_manifest_sums_up_is_named(study):
    path = ONE / "path.parquet"
    artifacts.write_table(path, artifacts.read_table(path).assign(tau=lambda rows: rows["tau"] * 1.01))
    rewritten(ONE / "manifest.json", lambda record: record["files"].update({path.name: artifacts.sha256(path)}))
    made(study)
    assert f"{ONE}: the summary in manifest.json is not that of path.parquet" in named()


def test_a_seed_left_out_is_named(study):
    name = next(iter(study.claims))
    members = study.evidence(name)
    claim.run(name, Path(study.file.registry), RESULTS / "measures", members[:1], RESULTS / f"claims/{name}.json")
    audit.run(CONFIG, "{}")
    assert f"{name}: {RESULTS / 'measures' / members[1]}: not among the evidence" in named()


def test_a_figure_of_other_data_is_named_when_the_audit_is_made_again(study):
    name, members = next((name, members) for name, members in study.figures.items() if len(members) > 1)
    figure.run(name, RESULTS / "measures", members[:1], FIGURES / f"{name}.png")
    assert f"{FIGURES / name}.png: missing or not as it was audited" in named()
    audit.run(CONFIG, "{}")
    assert named() == f"{FIGURES / name}.csv: not the table that {name} is drawn from today"


@pytest.mark.parametrize("place", [ONE / "extra.pkl", FIGURES / "extra.pkl", RESULTS / "claims" / ".hidden"])
def test_a_file_that_no_stage_wrote_is_named(study, place):
    place.write_bytes(b"\x80\x04.")
    assert named() == f"{place}: no file of this study; take it away"


def test_an_audit_without_checksums_of_its_files_is_to_be_written_again(study):
    rewritten(AUDIT, lambda record: record.pop("files"))
    assert named().startswith("files: the audit has no checksums of pages and figures; write it again from")
    rewritten(AUDIT, lambda record: record.update(files={"results/small/audit.md": "0"}))
    assert "files: no checksum of results/small/audit.html" in named()
