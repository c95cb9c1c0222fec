"""Forgery: is what was altered after a study had run named by `audit --check`?

Two hundred seeded flips of a byte and truncations over every kind of file that is committed of a study, and forgeries
by hand, most of which are made good by their author: checksums, verdicts and audit are written again.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import pickle
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.faults.common import CONFIG, FIGURES, GOOD, RESULTS, ROOT, End, fresh, judge, trials
from dirconv import artifacts
from dirconv.claims import calibration, registry
from dirconv.errors import UserError
from dirconv.stages import audit, calibrate, claim, figure, measure
from dirconv.study.resolve import Study
from dirconv.study.validate import load

ALTERED = 200
AUDIT = RESULTS / "audit.json"
KINDS = {  # files that are committed of a study
    "table": "results/small/measures/*/*/*.parquet",
    "manifest": "results/small/measures/*/*/manifest.json",
    "verdict": "results/small/claims/*.json",
    "calibration": "results/small/calibration.json",
    "audit.json": "results/small/audit.json",
    "audit.md": "results/small/audit.md",
    "audit.html": "results/small/audit.html",
    "picture (PNG)": "figures/small/*.png",
    "picture (PDF)": "figures/small/*.pdf",
    "picture's table (CSV)": "figures/small/*.csv",
}
SECONDS = 600


def run(options: argparse.Namespace) -> None:
    """All trials, in a copy of the finished study."""
    with contextlib.chdir(fresh(options, "forgery")), remembered():
        audit.run(CONFIG, "{}")
        if before := audit.check(AUDIT):
            raise SystemExit("\n".join(before))
        named = [(name, forge) for name, forge in FORGERIES.items()]

        def one(number: int, draw: random.Random) -> End:
            if number < ALTERED:
                return altered(number, draw)
            name, forge = named[number - ALTERED]
            return forged(name, forge)

        trials(options, "forgery", COUNT, one)


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Scores of the rules on known trajectories, half a minute each, are those of a committed study or made once."""
    scores = calibrate.scores
    registry_now = repr(calibration.thresholds(registry.load(Path("config/claims.yaml"))))
    kept = {registry_now: artifacts.read_json(ROOT / "results/theorems/calibration.json")["scores"]}

    def once(claims: dict[str, Any]) -> Any:
        key = repr(calibration.thresholds(claims))
        if key not in kept:
            kept[key] = scores(claims)
        return kept[key]

    calibrate.scores = once
    try:
        yield
    finally:
        calibrate.scores = scores


def altered(number: int, draw: random.Random) -> End:
    """A byte of a file flipped, or its end cut off; then restored."""
    kind = list(KINDS)[number % len(KINDS)]
    path = draw.choice(sorted(Path().glob(KINDS[kind])))
    content = path.read_bytes()
    place = draw.randrange(len(content))
    flip = number // len(KINDS) % 2 == 0
    changed = bytearray(content[:place] if not flip else content)
    if flip:
        changed[place] ^= draw.randrange(1, 256)
    path.write_bytes(changed)
    try:
        return judged(f"{kind}: {'a byte flipped' if flip else 'cut off'}", path.name)
    finally:
        path.write_bytes(content)


def forged(name: str, forge: Callable[[Study], str]) -> End:
    """A forgery by hand, and all files as they were afterwards."""
    kept = Path("kept")
    for folder in (RESULTS, FIGURES, CONFIG.parent):
        shutil.copytree(folder, kept / folder)
    try:
        return judged(name, forge(study()))
    finally:
        for folder in (RESULTS, FIGURES, CONFIG.parent):
            shutil.rmtree(folder)
            shutil.copytree(kept / folder, folder)
        shutil.rmtree(kept)


def judged(kind: str, name: str) -> End:
    """Whether the audit's check names a file, or what the forgery touched."""
    try:
        with limited():
            lines = audit.check(AUDIT)
    except UserError as error:
        lines = [str(error)]
    except TimeoutError:
        return End(kind, "hang")
    except Exception as error:
        return End(kind, "traceback", f"{type(error).__name__}: {error}")
    if Path("pickle-was-run").exists():
        return End(kind, "lost", "a pickle was run")
    found = next((line for line in lines if name in line), "")
    return End(kind, GOOD if found else "unnamed", found or " | ".join(lines)[:500])


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """TimeoutError after `SECONDS`."""

    def stop(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def study() -> Study:
    """The study as its file says."""
    return load(CONFIG)


# --------------------------------------------------------------------------------------- what a forger would do


def judge_again(made: Study) -> None:
    """Verdicts and audit made again from what lies there, as far as stages do not refuse it."""
    for name in made.claims:
        with contextlib.suppress(UserError):
            judge(made, name)
    with contextlib.suppress(UserError):
        audit.run(CONFIG, "{}")


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A record with a change, and its checksum made good."""
    record = artifacts.read_json(path)
    change(record)
    artifacts.write_json(path, record)


def of_claim(record: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in record["claims"] if each["id"] == name)


def good_files(record: dict[str, Any]) -> None:
    """The checksums that an audit holds, made good."""
    record["files"] = {path: artifacts.sha256(Path(path)) for path in record["files"]}


def an_edited_verdict(_: Study) -> str:
    rewrite(AUDIT, lambda record: of_claim(record, "direction_converges").update(verdict="supported"))
    return "direction_converges"


def a_verdict_edited_everywhere(_: Study) -> str:
    change = {"verdict": "supported", "agrees": True}
    rewrite(RESULTS / "claims/direction_converges.json", lambda record: record.update(change))
    rewrite(AUDIT, lambda record: (of_claim(record, "direction_converges").update(change), good_files(record)))
    return "direction_converges"


def an_edited_statistic(_: Study) -> str:
    rewrite(AUDIT, lambda record: of_claim(record, "risk_to_zero")["statistic"].update(value=1e-3))
    return "risk_to_zero"


def an_edited_seed(_: Study) -> str:
    def change(record: dict[str, Any]) -> None:
        next(iter(of_claim(record, "direction_converges")["seeds"].values()))["verdict"] = "supported"

    rewrite(AUDIT, change)
    return "direction_converges"


def an_edited_statement(_: Study) -> str:
    rewrite(AUDIT, lambda record: of_claim(record, "risk_to_zero").update(statement="The risk grows."))
    return "risk_to_zero: statement"


def a_milder_requirement(_: Study) -> str:
    rewrite(AUDIT, lambda record: of_claim(record, "control_biased_network").update(must_be=[]))
    return "control_biased_network: must_be"


def a_claim_left_out(_: Study) -> str:
    rewrite(AUDIT, lambda record: record["claims"].remove(of_claim(record, "direction_converges")))
    return "direction_converges"


def a_seed_left_out(made: Study) -> str:
    name = "risk_to_zero"
    fewer = made.evidence(name)[:-1]
    claim.run(name, Path(made.file.registry), RESULTS / "measures", fewer, RESULTS / "claims" / f"{name}.json")
    audit.run(CONFIG, "{}")
    return made.evidence(name)[-1]


def a_run_of_the_page_edited(_: Study) -> str:
    rewrite(AUDIT, lambda record: record["runs"]["alexnet/seed0"]["summary"].update(tau=50.0))
    return "runs"


def a_page_edited(_: Study) -> str:
    page = RESULTS / "audit.html"
    page.write_text(page.read_text(encoding="utf-8").replace("inconclusive", "supported"), encoding="utf-8")
    return "audit.html"


def measures_of_another_seed(made: Study) -> str:
    shutil.copytree(RESULTS / "measures/alexnet/seed1", RESULTS / "measures/alexnet/seed0", dirs_exist_ok=True)
    return "alexnet/seed0"


def measures_of_another_seed_made_good(made: Study) -> str:
    measures_of_another_seed(made)
    judge_again(made)
    return "alexnet/seed0"


def measures_of_another_seed_that_say_otherwise(made: Study) -> str:
    measures_of_another_seed(made)
    rewrite(RESULTS / "measures/alexnet/seed0/manifest.json", lambda record: record["specification"].update(seed=0))
    judge_again(made)
    return "alexnet/seed"


def a_table_of_another_run(made: Study) -> str:
    """Whose summary is made good as well."""
    theirs, ours = (RESULTS / "measures/alexnet" / seed for seed in ("seed1", "seed0"))
    shutil.copy(theirs / "path.parquet", ours / "path.parquet")
    summary = artifacts.read_json(theirs / "manifest.json")["summary"]

    def change(record: dict[str, Any]) -> None:
        record["files"]["path.parquet"] = artifacts.sha256(ours / "path.parquet")
        record["summary"] = summary

    rewrite(ours / "manifest.json", change)
    judge_again(made)
    return "path.parquet is that of"


def an_edited_table(made: Study) -> str:
    """A path whose risk falls further, its manifest made good but for the summary."""
    folder = RESULTS / "measures/alexnet/seed0"
    path = artifacts.read_table(folder / "path.parquet")
    artifacts.write_table(folder / "path.parquet", path.assign(ln_risk=path["ln_risk"] * 100))
    rewrite(
        folder / "manifest.json",
        lambda record: record["files"].update({"path.parquet": artifacts.sha256(folder / "path.parquet")}),
    )
    judge_again(made)
    return "alexnet/seed0: the summary"


def a_threshold_changed_afterwards(_: Study) -> str:
    path = Path("config/claims.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("fall: 0.001", "fall: 0.9"), encoding="utf-8")
    return "smoothed_margin_rises: thresholds"


def a_threshold_changed_in_audit_and_verdict(_: Study) -> str:
    change = {"fall": 0.9}
    rewrite(RESULTS / "claims/smoothed_margin_rises.json", lambda record: record["entry"]["thresholds"].update(change))
    rewrite(
        AUDIT,
        lambda record: (of_claim(record, "smoothed_margin_rises")["thresholds"].update(change), good_files(record)),
    )
    return "smoothed_margin_rises: thresholds"


def figure_of_other_data(made: Study) -> str:
    name = "alignment"
    figure.run(name, RESULTS / "measures", made.figures[name][:1], FIGURES / f"{name}.png")
    return f"{name}.csv"


def figure_of_other_data_made_good(made: Study) -> str:
    figure_of_other_data(made)
    audit.run(CONFIG, "{}")
    return "alignment.csv"


def a_pair_that_is_none(made: Study) -> str:
    """A manifest that says so; verdicts cannot be made again from it."""
    half = RESULTS / "measures/alexnet_half/seed0/manifest.json"
    rewrite(half, lambda record: record["specification"]["flow"].update(tolerance=0.2))
    judge_again(made)
    return "alexnet_half/seed0"


def a_pair_that_is_none_in_the_study(made: Study) -> str:
    """The study and the manifest."""
    values = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    values["runs"]["alexnet_half"]["flow"]["tolerance"] = 0.2
    CONFIG.write_text(yaml.safe_dump(values), encoding="utf-8")
    half = RESULTS / "measures/alexnet_half/seed0/manifest.json"
    rewrite(half, lambda record: record["specification"]["flow"].update(tolerance=0.2))
    return "alexnet_half"


class _Pickle:
    """What makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("pickle-was-run",)


PICKLE = pickle.dumps(_Pickle())


def a_pickle_planted(made: Study, place: Path) -> str:
    place.write_bytes(PICKLE)
    return place.name


def a_pickle_in_a_tables_place(made: Study) -> str:
    folder = RESULTS / "measures/alexnet/seed0"
    (folder / "path.parquet").write_bytes(PICKLE)
    rewrite(
        folder / "manifest.json",
        lambda record: record["files"].update({"path.parquet": artifacts.sha256(folder / "path.parquet")}),
    )
    rewrite(AUDIT, good_files)
    judge_again(made)
    return "alexnet/seed0"


def altered_before_measuring(made: Study, path: str) -> str:
    """What is measured is checked first: the stage refuses, so that no audit can be made of it."""
    file = RESULTS / path
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    folders = (RESULTS / "data/digits", *(RESULTS / stage / "alexnet/seed0" for stage in ("starts", "runs")))
    measures = RESULTS / "measures/alexnet/seed0"
    shutil.rmtree(measures)
    with contextlib.suppress(UserError):
        measure.run(made.specifications.flow("alexnet", 0), *folders, measures)
    return "alexnet/seed0"


FORGERIES: dict[str, Callable[[Study], str]] = {
    "an edited verdict": an_edited_verdict,
    "a verdict edited in audit and record": a_verdict_edited_everywhere,
    "an edited statistic": an_edited_statistic,
    "an edited seed": an_edited_seed,
    "an edited statement": an_edited_statement,
    "a milder requirement": a_milder_requirement,
    "a claim left out": a_claim_left_out,
    "a seed left out, verdict and audit made again": a_seed_left_out,
    "a row of the page's runs edited": a_run_of_the_page_edited,
    "a page edited": a_page_edited,
    "measures of another seed": measures_of_another_seed,
    "measures of another seed, all made again": measures_of_another_seed_made_good,
    "measures of another seed, manifest edited, all made again": measures_of_another_seed_that_say_otherwise,
    "a table of another run, manifest edited, all made again": a_table_of_another_run,
    "an edited table, manifest edited, all made again": an_edited_table,
    "a threshold changed afterwards": a_threshold_changed_afterwards,
    "a threshold changed in audit and record": a_threshold_changed_in_audit_and_verdict,
    "a figure drawn from other data": figure_of_other_data,
    "a figure drawn from other data, audit made again": figure_of_other_data_made_good,
    "a half-tolerance pair that is none": a_pair_that_is_none,
    "a half-tolerance pair that is none, by the study": a_pair_that_is_none_in_the_study,
    "a pickle among measures": functools.partial(a_pickle_planted, place=RESULTS / "measures/alexnet/seed0/extra.pkl"),
    "a pickle among figures": functools.partial(a_pickle_planted, place=FIGURES / "extra.pkl"),
    "a pickle that is hidden": functools.partial(a_pickle_planted, place=RESULTS / "claims/.hidden"),
    "a pickle in a table's place, manifest edited": a_pickle_in_a_tables_place,
    **{
        f"{path.rpartition('/')[2]} altered before it is measured": functools.partial(
            altered_before_measuring, path=path
        )
        for path in (
            "data/digits/split.safetensors",
            "starts/alexnet/seed0/start.safetensors",
            "starts/alexnet/seed0/training.parquet",
            "runs/alexnet/seed0/steps.parquet",
            "runs/alexnet/seed0/snapshots.safetensors",
        )
    },
}
COUNT = ALTERED + len(FORGERIES)
