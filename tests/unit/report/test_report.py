"""The audit page: complete, self-contained, and honest about what failed, is stale or is not known."""

from __future__ import annotations

import base64
import copy
import hashlib
import html.parser
import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from made_up_audit import claim, every_part, made_up

from dirconv import report
from dirconv.errors import UserError
from dirconv.report import _words

VOID = {"meta", "link", "img", "br", "input"}


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An audit in a folder that stands for the root of the repository."""
    monkeypatch.chdir(tmp_path)
    return made_up()


class Page(html.parser.HTMLParser):
    """Every element of a page with its attributes, and its text; a tag left open or closed twice is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def texts(audit: dict[str, Any]) -> tuple[str, str]:
    """What the two pages say: the HTML's text, and the Markdown without its escapes."""
    written = report.markdown(audit, Path("results/small"))
    return Page(report.html(audit)).text, " ".join(re.sub(r"\\([^a-zA-Z0-9])", r"\1", written).split())


def test_html_loads_nothing(audit):
    page = Page(report.html(audit))
    for tag, attributes in page.elements:
        assert tag not in {"iframe", "object", "embed"}
        for name in ("src", "href", "srcset", "action", "data"):
            if attributes.get(name) is not None:
                in_page = attributes[name].startswith(("#", "data:"))
                assert in_page or ((tag, name) == ("a", "href") and attributes[name].endswith(".csv")), (
                    tag,
                    attributes,
                )
        assert "style" not in attributes and not any(name.startswith("on") for name in attributes)
    style = re.search(r"<style>(.*?)</style>", report.html(audit), re.DOTALL)[1]
    assert "url(" not in style and "@import" not in style


def test_html_admits_just_its_own_style_and_scripts(audit):
    text = report.html(audit)
    (policy,) = (meta["content"] for meta in Page(text).all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    for tag in ("style", "script"):
        (allowed,) = re.findall(rf"{tag}-src ([^;]*)", policy)
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digests = (base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in inline)
        assert allowed.split() == [f"'sha256-{digest}'" for digest in digests]


def test_html_embeds_each_picture_once(audit):
    text = report.html(audit)
    for name in ("path_length", "risk"):
        assert text.count(base64.b64encode(Path(f"figures/small/{name}.png").read_bytes()).decode()) == 1
    pictures = Page(text).all("img")
    assert len(pictures) == 2
    assert all(picture["alt"] for picture in pictures)


def test_picture_that_is_missing_is_named(audit):
    Path("figures/small/risk.png").unlink()
    with pytest.raises(UserError, match=re.escape("figures/small/risk.png")):
        report.html(audit)


def test_html_links_lead_somewhere(audit):
    page = Page(report.html(audit))
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    inside = {attributes["href"][1:] for attributes in page.all("a") if attributes["href"].startswith("#")}
    assert {"direction_converges", "margins", "risk"} <= inside <= set(names)
    labels = [attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes]
    assert set(labels) <= set(names)


def test_html_headings_go_down_one_level_at_a_time(audit):
    levels = [int(tag[1]) for tag, _ in Page(report.html(audit)).elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in itertools.pairwise(levels))


def test_html_escapes_every_string(audit):
    def hostile(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: hostile(item) for key, item in value.items()}
        if isinstance(value, list):
            return [hostile(item) for item in value]
        return f"{value}<script>x</script>\"'" if isinstance(value, str) else value

    changed = hostile(audit)
    for name in ("created", "part", "verdict", "expected", "figure"):  # not free text
        for target, source in [(changed, audit), *zip(changed["claims"], audit["claims"], strict=True)]:
            if name in source:
                target[name] = source[name]
    for entry in changed["claims"]:
        entry["against"]["relation"] = "above"
    for rows in changed["calibration"].values():
        for row in rows:
            row["claim"] = "alignment"
    for part in ("runs", "problems"):
        for name in audit[part]:
            changed[part][name]["created"] = audit[part][name]["created"]
    page = Page(report.html(changed))
    assert len(page.all("script")) == len(Page(report.html(audit)).all("script"))
    assert page.text.count("<script>x</script>") > 50
    outside_fences = "".join(report.markdown(changed, Path("results/small")).split("```")[::2])
    outside_code = re.sub(r"`[^`]*`", "", outside_fences)
    assert outside_code.count(r"\<script") > 20
    assert not re.search(r"(?<!\\)<script", outside_code)


def test_both_say_everything(audit):
    for text in texts(audit):
        for said in (
            *("A <small> study", "2026-11-24 02:46 UTC", "torch 2.15.0", "A <fast> one, 2 cores", "digits <8×8>"),
            *("0 + 2", "1 + 3", "train 1,120", "3: 1,000", "config/claims.yaml", audit["command"]),
            "uv run dirconv audit --check results/small/audit.json",
            *("If a < b then ‖W_k‖ → ∞ & *more*", "ℒ(W₀) < ℓ(0)", "exponent p", "1.5", "[1.2, 1.8]", "remaining"),
            *(
                "uv run snakemake --cores all claim_margins",
                "results/small/measures/alexnet/seed1/path.parquet",
                "1a" * 32,
            ),
            *(
                "alexnet (width 0.25, no biases)",
                "descent (tolerance 10⁻⁵)",
                "log inverse risk",
                "−12.35",
                "0.01235",
                "3.1·10⁻⁷",
            ),
            *("1 − 1.2·10⁻⁶", "open question", "3 claims: 3 supported, 0 contradicted, 0 inconclusive."),
            "2 as expected, 0 other than expected, 1 open question.",
        ):
            assert said in text, said


def test_verdict_that_must_not_be_is_shown_first(audit):
    for text in texts(audit):
        assert "The one required verdict holds." in text
        assert "A required verdict fails" not in text
    audit["claims"][0].update(verdict="contradicted", agrees=False)
    for text in texts(audit):
        assert text.index("A required verdict fails") < text.index("1 as expected, 1 other than expected")
        assert "must be supported or inconclusive" in " ".join(text.replace("> ", "").split())
        assert "required verdict holds" not in text
    assert len([1 for _, attributes in Page(report.html(audit)).elements if attributes.get("role") == "alert"]) == 1


def test_stale_is_shown_where_it_is(audit):
    assert all("stale" not in text.lower() for text in texts(audit))
    audit["claims"][1]["stale"] = ["alexnet/seed1"]
    for text in texts(audit):
        first = text.lower().index("stale")
        assert "alexnet/seed1" in text[first : first + 80]
        assert text.lower().index("what came out" if "What came out" in text else "3 claims") > first
    audit["claims"][1]["stale"] = []
    audit["runs"]["alexnet/seed0"]["stale"] = True
    for text in texts(audit):
        first = text.lower().index("stale")
        assert "alexnet/seed0" in text[first : first + 80]


def test_undecided_is_told_from_refuted(audit):
    audit["claims"][0].update(verdict="inconclusive", agrees=False)
    audit["claims"][1].update(verdict="contradicted", agrees=False)
    for text in texts(audit):
        assert "0 as expected, 2 other than expected (1 of them because the runs decide nothing)" in text
        assert "undecided whether it converges" in text
        assert "(undecided)" in text  # beside what was expected


def test_numbers_that_are_not_known(audit):
    nothing = {"value": None, "low": None, "high": None}
    audit["claims"][0]["statistic"].update(nothing)
    for outcome in audit["claims"][0]["seeds"].values():
        outcome.update(nothing)
    audit["runs"]["alexnet/seed0"].update(degree=None)
    audit["runs"]["alexnet/seed0"]["summary"] = dict.fromkeys(audit["runs"]["alexnet/seed0"]["summary"])
    for text in texts(audit):
        assert "None" not in text
        assert "nan" not in text.lower()
    cells = [line for line in report.markdown(audit, Path("results/small")).splitlines() if "seed0" in line]
    assert cells[0] == r"| `alexnet/seed0` | supported | – |  | p > 1 & little remains |"
    assert cells[-1].count("| – ") == 7


def test_study_without_runs_or_evidence(audit):
    audit.update(
        runs={}, problems={}, data={}, claims=[claim("control", "figures/small/risk.png", evidence=[], seeds={})]
    )
    for text in texts(audit):
        assert "No run was followed." in text
        assert "Small problems" not in text
        assert "--check results/small/audit.json" in text


def test_markdown_links_are_relative_and_exist(audit):
    folder = Path("results/small")
    text = report.markdown(audit, folder)
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert pictures == ["../../figures/small/path_length.png", "../../figures/small/risk.png"]
    folder.mkdir(parents=True)
    assert all((folder / picture).is_file() for picture in pictures)
    anchors = set(re.findall(r'<a id="([^"]+)">', text))
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors == {"direction_converges", "margins", "risk"}


def test_both_pages_say_how_often_the_rules_are_wrong(audit):
    pages = report.html(audit), report.markdown(audit, Path("results/small"))
    for page in pages:
        assert page.count("3 (0.5 %)") == 4  # the whole of every set, and the family kept from the tuning
        assert page.count("150 (25.0 %)") == 4
        assert page.count("spiral") == 1


def test_markdown_tables_are_whole(audit):
    audit["claims"][0]["seeds"]["alexnet/seed0"]["reason"] = "a | b\nc"
    lines = report.markdown(audit, Path("results/small")).splitlines()
    tables = [i for i, line in enumerate(lines) if re.fullmatch(r"\|(---\|)+", line)]
    assert len(tables) == 5 + 2 * len(audit["claims"])
    for i in tables:
        columns = lines[i].count("|")
        assert lines[i - 2] == ""
        row = i + 1
        while row < len(lines) and lines[row].startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", lines[row])) == columns, lines[row]
            row += 1
        assert row > i + 1
        assert lines[row : row + 1] in ([""], [])


def test_one_data_set_under_two_names_is_shown_once(audit):
    record = audit["data"].pop("digits")
    fewer = {**record, "counts": {"train": {"0": 7, "1": 7}, "test": {"0": 3, "1": 3}}}
    audit["data"] = {"alexnet": record, "densenet": fewer, "unfinished": dict(record)}
    for text in texts(audit):
        assert text.count("of alexnet, unfinished") == text.count("of densenet") == 1
        assert text.count("train 1,120") == text.count("train 14 (0: 7, 1: 7)") == 1


def test_pages_leave_the_audit_alone(audit):
    before = copy.deepcopy(audit)
    report.html(audit)
    report.markdown(audit, Path("results/small"))
    assert audit == before


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (0.0, "0"),
        (1.0, "1"),
        (1.0e-6, "10⁻⁶"),
        (-1.0e-6, "−10⁻⁶"),
        (1.23456e-7, "1.235·10⁻⁷"),
        (-0.0012346, "−0.001235"),
        (1234567.8, "1.235·10⁶"),
        (150, "150"),
        (12345, "12,345"),
        (-2000.0, "−2000"),
        (0.9999, "0.9999"),
        (0.99999968, "1 − 3.2·10⁻⁷"),
        (1.00000032, "1"),
    ],
)
def test_numbers_are_short_and_say_what_they_are(value, said):
    assert _words.number(value) == said


def test_seeds_in_a_row_are_written_by_their_ends():
    assert _words.runs([12, 10, 11]) == "10 to 12"
    assert _words.runs([1, 2, 5, 7, 8, 9, 10]) == "1, 2, 5, 7 to 10"
    assert _words.runs([]) == ""


def test_interval_that_says_nothing_is_left_out():
    assert _words.interval(1.0, None, None) == ""
    assert _words.interval(1.0, 1.0, 1.0) == ""
    assert _words.interval(None, -0.5, 2.0) == "[−0.5, 2]"


def test_a_page_links_to_other_studies(audit):
    command = "uv run snakemake --cores all --configfile config/other.yaml"
    audit["see_also"] = [{"title": "Another <study>", "results": f"{audit['results']}/../other", "command": command}]
    text, page = report.markdown(audit, Path(audit["results"])), report.html(audit)
    assert "](../other/audit.md)" in text and command in text
    assert '<a href="../other/audit.html">Another &lt;study&gt;</a>' in page and command in page


@pytest.fixture
def with_checks(audit) -> dict[str, Any]:
    """The audit with a claim of each part, out of order, and with two checks of the first claim."""
    return every_part(audit)


def test_parts_stand_in_order_and_checks_inside_their_claim(with_checks):
    page = Page(report.html(with_checks))
    order = ["direction_converges", "by_chords", "at_half", "margins", "risk", "beyond", "asked", "hat"]
    assert [a["id"] for a in page.all("article")] == order
    assert [a["id"] for a in page.all("article") if "check" in a["class"].split()] == ["by_chords", "at_half"]
    assert re.findall(r'<a id="([^"]+)">', report.markdown(with_checks, Path("results/small"))) == order
    for text in texts(with_checks):
        headings = ("What the paper proves", "Beyond the paper", "What the paper's reviewers", "Controls: what must")
        places = [text.rindex(heading) for heading in headings]
        assert places == sorted(places)
        assert "claim_by_chords" in text and "claim_at_half" in text


def test_checks_are_counted_apart(with_checks):
    for text in texts(with_checks):
        assert "6 claims: 5 supported, 1 contradicted, 0 inconclusive." in text
        assert "4 as expected, 0 other than expected, 2 open questions." in text
        assert "1 of 1 control came out as expected." in text
        assert "2 checks of claims, not counted above: 1 supported, 0 contradicted, 1 inconclusive." in text
    with_checks["claims"][-2]["must_be"] = ["contradicted"]
    for text in texts(with_checks):
        assert text.index("A required verdict fails") < text.index("6 claims")


def test_a_control_that_comes_out_as_it_must_reads_as_a_success(with_checks):
    def badges() -> dict[str | None, int]:
        return Counter(a["class"] for a in Page(report.html(with_checks)).all("span") if "badge" in a.get("class", ""))

    before = badges()
    assert before == {"badge supported": 7, "badge inconclusive": 1}
    for text in texts(with_checks):
        assert "as it must: contradicted" in text
        assert "NOT as it must" not in text
    with_checks["claims"][0].update(verdict="supported", agrees=False)
    assert badges() == before - Counter({"badge supported": 1}) + Counter({"badge alarming": 1})
    for text in texts(with_checks):
        assert "NOT as it must: supported" in text
    # undecided where that is allowed: no failure, and no success
    with_checks["claims"][0].update(verdict="inconclusive", must_be=["contradicted", "inconclusive"])
    assert badges() == before - Counter({"badge supported": 1}) + Counter({"badge inconclusive": 1})
    for text in texts(with_checks):
        assert "as it must:" not in text
        assert "0 of 1 control came out as expected." in text


def test_a_check_whose_claim_is_not_judged_stands_in_its_place(with_checks):
    with_checks["claims"] = [entry for entry in with_checks["claims"] if entry["id"] != "direction_converges"]
    for text in texts(with_checks):
        assert (
            text.replace("`", "").count("A check of a claim that this study does not judge: direction_converges") == 2
        )
        assert "Checks of this claim" not in text
        assert "5 claims:" in text and "2 checks of claims, not counted above" in text


@pytest.mark.parametrize(
    "test",
    [
        test_html_links_lead_somewhere,
        test_html_headings_go_down_one_level_at_a_time,
        test_html_escapes_every_string,
        test_html_embeds_each_picture_once,
        test_markdown_tables_are_whole,
        test_pages_leave_the_audit_alone,
    ],
)
def test_a_page_with_checks_is_as_sound(test, with_checks):
    test(with_checks)
