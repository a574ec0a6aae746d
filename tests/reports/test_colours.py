"""Colours can be told from their ground and from each other, by readers who do not see red or green too."""

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest

from search_spaces import load_preset, parse_definition, preset_names
from search_spaces.variants import variants_of
from service.reports.charts.chart import GREY
from service.reports.charts.look import COLOURS, OWN_MARKS, SPARE, look_of
from service.reports.drawing import style
from tests.reports.seeing import VISIONS, ciede2000, contrast, distance

OF_GRAPHICS, OF_TEXT = 3.0, 4.5  # contrasts: WCAG 2.2, 1.4.11 and 1.4.3
APART = 11.0  # CIEDE2000
STATES = ("complete", "pruned", "failed", "running", "waiting")
THEMES = ("light", "dark")


def tokens(theme: str) -> dict[str, str]:
    """The colours of the style sheet's variables in a theme."""
    sheet = files("service.reports").joinpath("assets", "tokens.css").read_text(encoding="utf-8")
    light, _, dark = sheet.partition("prefers-color-scheme: dark")
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return found if theme == "light" else found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark))


def test_the_distance_is_that_of_the_published_examples() -> None:
    pairs = [  # Sharma, Wu, Dalal 2005, table 1: rows 1, 7, 16, 25
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ]
    for one, other, published in pairs:
        assert ciede2000(np.array(one), np.array(other)) == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize("vision", VISIONS)
def test_the_usual_variants_are_told_apart_by_colour(vision: str) -> None:
    near = {pair: distance(*(COLOURS[kind] for kind in pair), vision) for pair in combinations(COLOURS, 2)}
    assert {pair: apart for pair, apart in near.items() if apart < APART} == {}


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("vision", VISIONS)
def test_the_variants_of_a_preset_are_told_apart_by_colour_or_mark(preset: str, vision: str) -> None:
    definition = parse_definition(load_preset(preset))
    looks = {variant: look_of(variant) for variant in variants_of(definition.search_space, definition.fixed)}
    for (one, look), (other, its) in combinations(looks.items(), 2):
        is_apart = distance(look.colour, its.colour, vision) >= APART
        assert is_apart or look.symbol != its.symbol, (one, other)


@pytest.mark.parametrize("theme", THEMES)
def test_graphics_stand_out_from_both_grounds(theme: str) -> None:
    found = tokens(theme)
    for ground in (found["page"], found["surface"]):
        for each in (*COLOURS.values(), *SPARE, GREY, found["edge"]):
            assert contrast(each, ground) >= OF_GRAPHICS, (each, ground)


@pytest.mark.parametrize("theme", THEMES)
def test_text_stands_out_from_both_grounds(theme: str) -> None:
    found = tokens(theme)
    for ground in (found["page"], found["surface"]):
        for name in ("ink", "quiet", "accent", "good", "bad", *STATES):
            assert contrast(found[name], ground) >= OF_TEXT, (name, ground)
    assert contrast(found["on-accent"], found["accent"]) >= OF_TEXT
    assert contrast(found["ink"], found["warn-ground"]) >= OF_TEXT


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("vision", VISIONS)
def test_states_are_told_apart(theme: str, vision: str) -> None:
    found = tokens(theme)
    for one, other in combinations(STATES, 2):
        assert distance(found[one], found[other], vision) >= 9, (one, other)


def test_a_state_has_a_sign_beside_its_colour() -> None:
    sheet = files("service.reports").joinpath("assets", "base.css").read_text(encoding="utf-8")
    signs = re.findall(r"\.pill\.(\w+)::before { content: \"([^\"]+)\"", sheet)
    assert {state for state, _ in signs} >= {*STATES, "paused", "stopped", "cancelled"}
    assert len({sign for _, sign in signs}) == len(signs)


def test_every_usual_variant_has_a_mark_of_its_own() -> None:
    assert OWN_MARKS.keys() == COLOURS.keys()
    assert len(set(OWN_MARKS.values())) == len(OWN_MARKS)


def test_pictures_are_in_the_colours_of_the_page() -> None:
    found = tokens("light")
    assert (found["ink"], found["quiet"], found["line"], found["grid"]) == (
        style.INK,
        style.QUIET,
        style.LINE,
        style.GRID,
    )
