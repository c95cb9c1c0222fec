"""The audit page in headless Chromium: filters, order, anchors, phones, paper, and that it asks for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import CHROMIUM, Page, browser
from made_up_audit import every_part, made_up, measure

from dirconv import report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")
SHOWN = "[...document.querySelectorAll('.claim')].filter(e => e.checkVisibility()).map(e => e.id)"
WIDER = """[...document.querySelectorAll('body *')].filter(e => e.checkVisibility()
    && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
CUT = """[...document.querySelectorAll('body *')].filter(e => e.scrollWidth > e.clientWidth + 1
    && getComputedStyle(e).overflowX != 'visible').map(e => e.outerHTML.slice(0, 80))"""
PAPER_ORDER = ["direction_converges", "by_chords", "at_half", "margins", "risk", "beyond", "asked", "hat"]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Page:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("study")
        patch.chdir(folder)
        audit = every_part(made_up())
        measure(audit)
        text = report.html(audit)
    (folder / "audit.html").write_text(text, encoding="utf-8")
    return folder / "audit.html"


def choose(page: Page, group: str, value: str) -> None:
    page.run(f"document.querySelector('input[name={group}][value=\"{value}\"]').click()")


def order(page: Page, value: str) -> None:
    page.run(
        f"document.getElementById('order').value = '{value}';"
        "document.getElementById('order').dispatchEvent(new Event('change', {bubbles: true}))"
    )


def test_it_asks_for_nothing_and_no_script_complains(page, file):
    page.open(file)
    page.run("document.getElementById('all').click()")
    assert {address for address in page.requests if not address.startswith("data:")} == {file.as_uri()}
    assert page.errors == []


def test_a_script_that_is_not_the_pages_own_does_not_run(page, file):
    text = file.read_text().replace("</main>", "<script>document.title = 'changed'</script></main>")
    changed = file.with_name("changed.html")
    changed.write_text(text, encoding="utf-8")
    page.open(changed)
    assert page.run("document.title") != "changed"
    assert any("Content Security Policy" in error for error in page.errors)
    page.errors.clear()


def test_filters_show_what_they_name(page, file):
    page.open(file)
    assert page.run(SHOWN) == PAPER_ORDER
    choose(page, "kind", "undecided")
    assert page.run(SHOWN) == ["by_chords"]
    assert page.run("document.getElementById('shown').textContent") == "1 of 8 shown"
    choose(page, "kind", "answered")
    assert page.run(SHOWN) == ["risk", "beyond"]
    choose(page, "part", "extension")
    assert page.run(SHOWN) == ["beyond"]
    assert page.run("document.getElementById('part-paper').checkVisibility()") is False
    choose(page, "kind", "")
    choose(page, "part", "")
    assert page.run(SHOWN) == PAPER_ORDER


def test_claims_are_sorted_and_put_back(page, file):
    page.open(file)
    order(page, "title")
    assert page.run(SHOWN) == sorted(PAPER_ORDER)
    order(page, "kind")
    assert page.run(SHOWN)[-2:] == ["by_chords", "hat"]
    order(page, "")
    assert page.run(SHOWN) == PAPER_ORDER


def test_every_anchor_leads_somewhere_that_is_then_visible(page, file):
    page.open(file)
    links = page.run("[...new Set([...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.hash))]")
    assert len(links) > 15
    for link in links:
        page.run(f"new Promise(done => {{ location.hash = '{link}'; setTimeout(done, 30) }})")
        assert page.run(f"document.getElementById('{link[1:]}').checkVisibility()"), link


def test_a_link_from_outside_opens_its_claim(page, file):
    page.open(file, anchor="#margins")
    assert page.run("document.querySelector('#margins details').open") is True
    assert page.run("document.querySelector('#risk details').open") is False
    assert abs(page.run("document.getElementById('margins').getBoundingClientRect().top")) < 900


def test_a_link_to_a_claim_that_is_filtered_out_shows_it(page, file):
    page.open(file)
    choose(page, "kind", "control")
    page.run("new Promise(done => { location.hash = '#margins'; setTimeout(done, 50) })")
    assert "margins" in page.run(SHOWN)


@pytest.mark.parametrize("width", [390, 700, 1280])
def test_nothing_is_wider_than_the_window_or_cut_off(page, file, width):
    page.open(file, width)
    page.run("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run(WIDER) == page.run(CUT) == []


def test_there_are_few_tab_stops(page, file):
    page.open(file)
    stops = page.run(
        "[...document.querySelectorAll('a[href], button, select, summary, [type=checkbox], [type=range]')]"
        ".filter(e => e.tabIndex >= 0 && e.checkVisibility()).length"
    )
    # one a claim, the contents, three of skip link, order and button, the plots' seven, three folded parts below
    assert stops <= len(PAPER_ORDER) + 9 + 3 + 7 + 3
    assert page.run("document.querySelectorAll('.controls fieldset').length") == 2  # a group of chips is one stop
    page.run("document.querySelector('.skip').focus()")
    assert page.run("document.querySelector('.skip').getBoundingClientRect().left") >= 0


def test_it_prints_on_few_sheets_with_its_figures_and_without_evidence(page, file):
    page.open(file)
    assert page.pages() <= 4
    page.send("Emulation.setEmulatedMedia", media="print")
    assert page.run("[...document.images].every(e => e.checkVisibility())")
    assert not page.run("[...document.querySelectorAll('.hash')].some(e => e.checkVisibility())")
    assert not page.run("document.querySelector('.controls').checkVisibility()")
    page.send("Emulation.setEmulatedMedia", media="")


def test_dark_pages_keep_their_figures_on_white(page, file):
    page.media(prefers_color_scheme="dark")
    page.open(file)
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    assert page.run("getComputedStyle(document.images[0]).backgroundColor") == "rgb(255, 255, 255)"
    page.media(prefers_color_scheme="light")
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_without_scripts_all_claims_are_there(page, file):
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(file)
        assert page.run("document.querySelector('.controls').hidden") is True
        assert page.run("[...document.querySelectorAll('.claim')].map(e => e.id)") == PAPER_ORDER
    finally:
        page.send("Emulation.setScriptExecutionDisabled", value=False)


INK = """(id => {
  const canvas = document.querySelector(`#${id} canvas`);
  const points = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let blue = 0;
  for (let i = 0; i < points.length; i += 4) blue += points[i + 3] > 200 && points[i + 2] - points[i] > 100;
  return blue;
})"""


def change(page: Page, name: str, value: str, event: str = "change") -> None:
    page.run(
        f"(e => {{ e.value = '{value}'; e.dispatchEvent(new Event('{event}')) }})(document.getElementById('{name}')),"
        "new Promise(done => setTimeout(done, 100))"
    )


def test_runs_are_plotted_and_can_be_hidden(page, file):
    page.open(file)
    both = page.run(f"new Promise(done => setTimeout(() => done({INK}('paths')), 100))")
    page.run("document.querySelectorAll('#toggles input')[1].click()")
    one = page.run(f"new Promise(done => setTimeout(() => done({INK}('paths')), 100))")
    page.run("document.querySelectorAll('#toggles input')[0].click()")
    none = page.run(f"new Promise(done => setTimeout(() => done({INK}('paths')), 100))")
    assert both > one > none == 0
    change(page, "quantity", "tan")
    assert page.run("document.getElementById('log-value').checked") is True
    assert page.errors == []


def test_the_slider_replays_the_margins(page, file):
    page.open(file)
    assert page.run("document.getElementById('snapshot-said').textContent").startswith("τ = 0, ln(1/ℒ) = 1.5")
    assert page.run(f"{INK}('margins-plot')") > 100
    change(page, "snapshot", "40", "input")
    assert page.run("document.getElementById('snapshot-said').textContent") == "τ = 4.9, ln(1/ℒ) = 99.5"
    assert page.run("document.getElementById('snapshot').getAttribute('aria-valuetext')").startswith("τ = 4.9")
    assert page.errors == []


def test_plots_fit_a_window_that_gets_narrow(page, file):
    page.open(file, 1280)
    page.send("Emulation.setDeviceMetricsOverride", width=390, height=900, deviceScaleFactor=1, mobile=False)
    page.run("new Promise(done => setTimeout(done, 200))")
    assert page.run("document.documentElement.scrollWidth") <= 390
    assert page.run(WIDER) == []
