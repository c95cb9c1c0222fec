"""What figures declare, what is read of a source for them, and what naming and drawing them costs."""

import subprocess
import sys

import pytest
from figure_sources import CLAIMED, DECLARED, OF_NETWORKS, OF_PROBLEMS

from dirconv.figures import Figure
from dirconv.options import modules, plugin


@pytest.mark.parametrize("name", modules("figures"))
def test_a_module_declares_a_figure(name):
    module = plugin("figures", name, "")
    assert isinstance(module.FIGURE, Figure)
    assert module.FIGURE.tables or module.FIGURE.optional
    assert not set(module.FIGURE.tables) & set(module.FIGURE.optional)
    assert set(module.FIGURE.problems) <= set(modules("problems"))
    assert set(module.FIGURE.probes) <= set(modules("probes"))
    assert not module.FIGURE.probes or module.FIGURE.claimed


@pytest.mark.parametrize("name", modules("figures"))
def test_its_docstring_is_a_caption(name):
    """A sentence that stands alone, then how to read the panels."""
    first, _, rest = plugin("figures", name, "").__doc__.partition("\n\n")
    assert "\n" not in first and first[-1] in ".?"
    assert rest


def test_figures_show_networks_problems_or_what_claims_read():
    assert len(OF_NETWORKS) + len(OF_PROBLEMS) + len(CLAIMED) == len(DECLARED)
    assert not any(DECLARED[name].problems for name in CLAIMED)


def test_tables_that_a_source_lacks_are_read_only_if_not_optional():
    figure = Figure(tables=("path",), optional=("limit", "degree"))
    assert figure.tables_in(["limit", "other"]) == ("path", "limit")
    assert figure.tables_in([]) == ("path",)


@pytest.mark.parametrize("light", ["naming", "drawing"])
def test_no_torch_and_nothing_heavy_before_drawing(light):
    naming = "from dirconv.options import plugin, modules; names = modules('figures');"
    naming += "[plugin('figures', n, '').FIGURE.tables for n in names];"
    if light == "naming":
        code = naming + "banned = {'torch', 'matplotlib', 'seaborn', 'pandas'}"
    else:
        code = naming + "sys.path.insert(0, 'tests/helpers'); import figure_sources as f;"
        code += (
            "[f.draw(n, f.cases(n)['one']()) for n in f.OF_NETWORKS];"
            "banned = {'torch', 'dirconv.flow', 'dirconv.measures'}"
        )
    code = f"import sys; {code}; loaded = banned & set(sys.modules); assert not loaded, loaded"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
