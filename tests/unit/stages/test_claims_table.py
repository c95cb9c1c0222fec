"""The tables of claims in README.md are those of the registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dirconv import cli
from dirconv.claims import registry
from dirconv.stages import claims_table

ROOT = Path(__file__).parents[3]
REGISTRY, README = ROOT / "config" / "claims.yaml", ROOT / "README.md"
COMMAND = "uv run dirconv claims --registry config/claims.yaml --readme README.md"
MARKERS = "".join(f"<!-- claims:{part} -->\nold\n<!-- /claims:{part} -->\n" for part in registry.PARTS)


def test_the_readme_has_the_claims_of_the_registry():
    text = README.read_text()
    assert claims_table.tables(registry.load(REGISTRY), text, str(README)) == text, f"write the tables again: {COMMAND}"


def test_every_claim_and_check_is_in_its_parts_table_once():
    claims = registry.load(REGISTRY)
    for part in registry.PARTS:
        targets = re.findall(r"`claim_(\w+)`", claims_table.table(claims, part))
        assert targets == [name for name, claim in claims.items() if claim.part == part]


def test_only_what_stands_between_the_markers_is_written(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{MARKERS}after \\1\n")
    assert cli.main(["claims", "--registry", str(REGISTRY), "--readme", str(readme)]) == 0
    once = readme.read_text()
    assert once.startswith("before\n<!-- claims:paper -->\n") and once.endswith("<!-- /claims:control -->\nafter \\1\n")
    assert "old" not in once.splitlines() and "`claim_direction_converges`" in once
    assert cli.main(["claims", "--registry", str(REGISTRY), "--readme", str(readme)]) == 0
    assert readme.read_text() == once


@pytest.mark.parametrize(
    "text",
    [
        MARKERS.replace("<!-- claims:reviewer -->\n", ""),
        MARKERS.replace("<!-- /claims:reviewer -->\n", ""),
        MARKERS + "<!-- claims:reviewer -->\n<!-- /claims:reviewer -->\n",
        None,
    ],
)
def test_a_file_without_its_markers_is_left_alone_and_said_in_one_line(tmp_path, capsys, text):
    readme = tmp_path / "README.md"
    if text is not None:
        readme.write_text(text)
    assert cli.main(["claims", "--registry", str(REGISTRY), "--readme", str(readme)]) == 2
    error = capsys.readouterr().err
    assert str(readme) in error and error.count("\n") == 1
    assert ("claims:reviewer" in error) == (text is not None)
    assert not readme.exists() if text is None else readme.read_text() == text
