"""The tables of claims in README.md and docs/claims.md are those of the registry and the committed audits."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from dirconv import artifacts, cli
from dirconv.claims import registry
from dirconv.report import tables

ROOT = Path(__file__).parents[3]
REGISTRY, PAGES = ROOT / "config" / "claims.yaml", (ROOT / "README.md", ROOT / "docs" / "claims.md")
COMMAND = "uv run dirconv claims --registry config/claims.yaml --results results README.md docs/claims.md"
MARKERS = "".join(f"<!-- claims:{block} -->\nold\n<!-- /claims:{block} -->\n" for block in tables.BLOCKS)
CLAIMS = registry.load(REGISTRY)


def committed_audits():
    """Those that git knows; all that lie there where it cannot be asked."""
    asked = ["git", "ls-files", "results/*/audit.json"]
    listing = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    paths = [ROOT / name for name in listing.stdout.splitlines()] or sorted(ROOT.glob("results/*/audit.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(paths)]


def audit(study, tau, verdict="supported", value=2.0, low=1.5, high=2.5, claim="direction_converges", **more):
    """An audit of one claim, its run followed to `tau`."""
    statistic = {"name": "", "value": value, "low": low, "high": high, "threshold": 1.0}
    entry = {"id": claim, "verdict": verdict, "statistic": statistic}
    run = CLAIMS[claim].runs[0]
    runs = {f"{run}/seed{seed}": {"summary": {"tau": tau + seed}} for seed in (0, 1)}
    common = {"study": study, "registry": "", "results": f"results/{study}"}
    return {**common, "runs": runs, "problems": {}, "claims": [entry], **more}


def row(audits, claim="direction_converges", block="measured", folder=Path()):
    lines = tables.table(CLAIMS, audits, block, folder).splitlines()
    return next(line for line in lines if CLAIMS[claim].title in line).split(" | ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_claims_of_the_registry_and_the_verdicts_of_the_committed_audits(page):
    text = page.read_text(encoding="utf-8")
    place = page.relative_to(ROOT)  # links in tables are relative to the page's folder in the project
    assert tables.written(place, text, CLAIMS, committed_audits()) == text, f"write the tables again: {COMMAND}"


def test_every_claim_and_check_is_in_its_parts_table_once():
    for part in registry.PARTS:
        targets = re.findall(r"`claim_(\w+)`", tables.table(CLAIMS, [], part, Path()))
        assert targets == [name for name, claim in CLAIMS.items() if claim.part == part]


def test_the_papers_statements_are_all_and_alone_in_the_measured_table():
    titles = [line.split(" | ")[0] for line in tables.table(CLAIMS, [], "measured", Path()).splitlines()[2:]]
    assert titles == [c.title for c in CLAIMS.values() if c.part == "paper" and c.checks_claim is None]


def test_a_row_has_value_interval_what_is_asked_for_and_how_far_the_shortest_run_went():
    title, measured, verdict = row([audit("small", 3.25)])
    assert title == "The direction of homogeneous AlexNet's weights converges"
    assert measured == "P 2 [1.5, 2.5] (>1; τ=3.25)"
    assert verdict == "supported: [small](results/small/audit.md#direction_converges)"


def test_a_claim_that_no_study_judged_is_not_run():
    assert row([])[1:] == ["–", "not run"]


def test_a_study_that_went_further_is_measured_and_stands_first_whatever_its_verdict():
    audits = [audit("near", 1.0), audit("far", 20.0, "contradicted", 0.4, 0.3, 0.5), audit("nearer", 0.5)]
    for order in (audits, audits[::-1]):
        _, measured, verdict = row(order)
        assert measured == "P 0.4 [0.3, 0.5] (>1; τ=20)"
        assert re.findall(r"(\w+): \[(\w+)\]", verdict) == [("contradicted", "far"), ("supported", "near")]


def test_the_tables_of_parts_link_every_study():
    assert re.findall(r"\[(\w+)\]\(", row([audit("near", 1.0), audit("far", 20.0)], block="paper")[2]) == [
        "far",
        "near",
    ]


def test_a_value_that_is_not_known_is_a_dash():
    assert row([audit("small", 1.0, "inconclusive", None, None, None)])[1] == "P – (>1; τ=1)"


def test_a_small_problem_counts_by_the_median_of_its_seeds():
    claim = "deep_linear_max_margin"
    problems = {run: {"median": {"tau": 20.0 - depth}} for depth, run in enumerate(CLAIMS[claim].runs)}
    study = audit("theorems", 0, claim=claim, value=1e-12, low=None, high=None, runs={}, problems=problems)
    assert row([study], claim)[1].endswith(f"; τ={20 - len(problems) + 1})")


def test_links_are_relative_to_the_page(tmp_path):
    assert "(../results/small/audit.md#" in row([audit("small", 1.0)], folder=Path("docs"))[2]


def claims_command(results, *pages):
    return cli.main(["claims", "--registry", str(REGISTRY), "--results", str(results), *map(str, pages)])


def test_only_what_stands_between_the_markers_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "small").mkdir(parents=True)
    artifacts.write_json(Path("results/small/audit.json"), audit("small", 3.25))
    page = Path("page.md")
    page.write_text(f"before\n{MARKERS}after \\1\n")
    assert claims_command("results", page) == 0
    once = page.read_text()
    assert once.startswith("before\n<!-- claims:measured -->\n") and once.endswith(
        "<!-- /claims:control -->\nafter \\1\n"
    )
    assert "old" not in once.splitlines() and "`claim_direction_converges`" in once and "P 2 [1.5, 2.5]" in once
    assert claims_command("results", page) == 0
    assert page.read_text() == once


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (MARKERS.replace("<!-- claims:reviewer -->\n", ""), "reviewer"),
        (MARKERS.replace("<!-- /claims:reviewer -->\n", ""), "reviewer"),
        (MARKERS + "<!-- claims:reviewer -->\n<!-- /claims:reviewer -->\n", "reviewer"),
        ("<!-- claims:paper -->\n<!-- claims:control -->\n<!-- /claims:paper -->\n<!-- /claims:control -->\n", "paper"),
        (MARKERS + "<!-- claims:papers -->\n<!-- /claims:papers -->\n", "papers"),
        ("no marker\n", "<!-- claims:NAME -->"),
        (None, "cannot be read"),
    ],
)
def test_a_page_with_wrong_markers_is_left_alone_and_said_in_one_line(tmp_path, capsys, text, named):
    first, page = tmp_path / "first.md", tmp_path / "page.md"
    first.write_text(MARKERS)
    if text is not None:
        page.write_text(text)
    assert claims_command(tmp_path, first, page) == 2
    error = capsys.readouterr().err
    assert str(page) in error and error.count("\n") == 1 and named in error
    assert not page.exists() if text is None else page.read_text() == text
    assert first.read_text() == MARKERS


def test_a_record_that_is_no_audit_is_named(tmp_path, capsys):
    artifacts.write_json(tmp_path / "small" / "audit.json", {"study": "small"})
    page = tmp_path / "page.md"
    page.write_text(MARKERS)
    assert claims_command(tmp_path, page) == 2
    assert f"{tmp_path}/small/audit.json: a record, but no audit" in capsys.readouterr().err
    assert page.read_text() == MARKERS


def test_a_missing_folder_of_results_is_said_in_one_line(tmp_path, capsys):
    assert claims_command(tmp_path / "none", tmp_path / "page.md") == 2
    assert "--results" in capsys.readouterr().err
