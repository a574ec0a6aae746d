"""Every layer of the family in everybody's model: right, or refused in one line; docs/layers.md has the table."""

import pytest

from tests.layers.everywhere import BEGIN, CASES, END, PAGE, outcome, table
from tests.layers.subjects import LAYERS

pytestmark = [
    pytest.mark.wide,
    pytest.mark.xdist_group("everywhere"),  # one process, which then has every outcome for the table
    pytest.mark.filterwarnings(
        "ignore:.*wrong for masks shared over time or in groups:RuntimeWarning",
        "ignore:no kernel for:RuntimeWarning",
    ),
]
_OUTCOMES: dict[tuple[str, str], str] = {}


@pytest.mark.parametrize("case", CASES)
def test_case(case: str) -> None:
    for layer in LAYERS:
        _OUTCOMES[layer, case] = outcome(layer, case)


def test_the_table_in_docs_is_this_one() -> None:
    found = {(layer, case): _OUTCOMES.get((layer, case)) for layer in LAYERS for case in CASES}
    outcomes = {key: outcome(*key) if said is None else said for key, said in found.items()}
    written = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert BEGIN + written + END == table(outcomes), "run `python -m tests.layers.everywhere`"
