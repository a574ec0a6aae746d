"""Figures as pictures."""

import io
import re
import sys
from xml.etree import ElementTree

import matplotlib.image
import pytest

from pernodedrop.installation import MissingPackage
from service.reports import Results
from service.reports.drawing import FORMATS, draw
from service.reports.sections import charts_of
from tests.reports.samples import searched, study_of, trial_of
from tests.reports.test_markup import EVIL
from tests.reports.test_page import STUDIES


def texts(picture: bytes) -> list[str]:
    """What is written in an SVG: matplotlib draws letters as paths, and leaves their words in comments."""
    return [found.strip() for found in re.findall(r"<!--(.*?)-->", picture.decode(), flags=re.DOTALL)]


def size(picture: bytes) -> tuple[int, int]:
    height, width, _ = matplotlib.image.imread(io.BytesIO(picture), format="png").shape
    return width, height


@pytest.mark.parametrize(
    "name", ["one trial", "without curves", "no rate", "two objectives", "repeated", "as in the paper"]
)
def test_every_figure_of_every_study_can_be_drawn(name: str) -> None:
    for chart in charts_of(STUDIES[name]).values():
        ElementTree.fromstring(draw(chart.figure, "svg"))


def test_a_png_is_sharp_and_white() -> None:
    figure = charts_of(Results(*searched(20)))["history"].figure
    picture = draw(figure, "png")
    assert picture.startswith(b"\x89PNG")
    width, height = size(picture)
    assert width > 1600
    assert height > 2 * 0.8 * figure["layout"]["height"]
    corner = matplotlib.image.imread(io.BytesIO(picture), format="png")[0, 0]
    assert corner.tolist() == [1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_figure_gives_the_same_bytes(form: str) -> None:
    figure = charts_of(Results(*searched(20)))["rate_response"].figure
    assert draw(figure, form) == draw(figure, form)  # type: ignore[arg-type]


def test_a_picture_names_its_axes_and_the_variants_once_each() -> None:
    results = Results(*searched(90, repeats=10))
    charts = charts_of(results)
    written = texts(draw(charts["learning_curves"].figure, "svg"))
    for variant in results.compared:
        assert written.count(variant) == 1
    assert {"validation loss", "training loss", "epoch"} <= set(written)
    ranked = " ".join(texts(draw(charts["critical_difference"].figure, "svg")))
    assert all(f"{variant}\N{EN SPACE}" in ranked or f"\N{EN SPACE}{variant}" in ranked for variant in results.compared)


@pytest.mark.parametrize(
    "word", ["$\\frac{1}$", "a $x$ b", "<b>&amp;</b>", "x" * 200, "--><g>", EVIL, "\N{SNOWMAN} 深"]
)
def test_words_of_a_study_are_drawn_as_they_are(word: str) -> None:
    trials = [trial_of(n, [n / 9], params={"regularizer": word, "drop_rate": n / 10}) for n in range(4)]
    for chart in charts_of(Results(study_of(trials), trials, {})).values():
        ElementTree.fromstring(draw(chart.figure, "svg"))


def test_without_matplotlib_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = charts_of(Results(*searched(20)))["history"].figure
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # what an import of it meets where it is not installed
    with pytest.raises(MissingPackage, match=r"^PNG needs matplotlib.*: pip install 'pernodedrop\[export\]'$"):
        draw(figure, "png")
