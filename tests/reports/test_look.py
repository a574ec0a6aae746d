"""Variants look different from each other, in every chart and table."""

import plotly.graph_objects as go
import pytest
from matplotlib.figure import Figure as Picture

from search_spaces import load_preset, parse_definition, preset_names
from search_spaces.variants import variants_of
from service.reports.charts.chart import MOST_MARKS, figure, line
from service.reports.charts.look import COLOURS, DASHES, KINDS, METHODS, SHAPES, look_of
from service.reports.drawing import draw, style
from service.reports.drawing.traces import BarExtent, add_trace
from service.reports.sections.swatch import CORNERS, DASH_ARRAYS, swatch_of
from tests.reports.test_drawing import texts


def test_every_listed_variant_looks_different() -> None:
    modes = [f"{kind}-{mode}" for kind in COLOURS if kind.startswith("pernodedrop") for mode in ("dynamic", "fixed")]
    variants = [kind for kind in COLOURS if not kind.startswith("pernodedrop")] + modes + list(KINDS)
    looks = [look_of(variant) for variant in variants]
    assert len({(look.colour, look.symbol) for look in looks}) == len(variants), "as marks"
    assert len({look_of(method).symbol for method in METHODS}) == len(METHODS), "in grey as well"
    assert all("markers" in line(variant, [1, 2], [3, 4])["mode"] for variant in variants), "as lines"


@pytest.mark.parametrize("preset", preset_names())
def test_the_variants_of_a_preset_can_be_told_apart(preset: str) -> None:
    definition = parse_definition(load_preset(preset))
    variants = list(variants_of(definition.search_space, definition.fixed))
    assert len({(look_of(variant).colour, look_of(variant).symbol) for variant in variants}) == len(variants)


def test_25_variants_in_one_chart_look_different_in_page_and_picture() -> None:
    variants = [*COLOURS][:5] + [*METHODS, "explicit-jvp", "averaged-pernodedrop-k8"][:20]
    xs = list(range(30))
    drawn = figure([line(variant, xs, [i + x for x in xs]) for i, variant in enumerate(variants)], x="x", y="y")
    styles = {
        (t["line"]["color"], t["line"]["dash"], t.get("marker", {}).get("symbol"), t["mode"]) for t in drawn["data"]
    }
    assert len(styles) == len(variants) == 25
    assert drawn["layout"]["height"] >= 20 * 25, "the legend has room for all"
    go.Figure(drawn)  # raises for an unknown property or value
    assert set(variants) <= set(texts(draw(drawn, "svg")))
    swatches = {swatch_of(look_of(variant)) for variant in variants}
    assert len(swatches) == len(variants), "in the tables too"


def test_every_mark_is_known_to_pictures_and_tables() -> None:
    assert set(SHAPES) <= style.MARKS.keys()
    assert set(SHAPES) == CORNERS.keys()
    assert set(DASHES) == style.DASHES.keys() == {"solid", *DASH_ARRAYS}


def test_a_line_has_few_marks_in_a_picture() -> None:
    axes = Picture().add_subplot()
    trace = line("r_drop", list(range(100)), [0.0] * 100)
    add_trace(axes, trace, {}, BarExtent(0, 1))
    [marks] = axes.collections
    assert len(marks.get_offsets()) <= MOST_MARKS
