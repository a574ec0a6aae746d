"""The names that a task's metrics may have."""

import pytest

from search_spaces.objective import LONGEST_NAME, unusable_name


def test_usual_names_are_taken() -> None:
    names = ["loss", "accuracy", "loss_one_mask", "F1", "top-5", "recall@10", "précision", "0.5 quantile", "err%", "_x"]
    assert unusable_name(f"val_{name}" for name in names) is None
    assert unusable_name(["val_" + "a" * LONGEST_NAME]) is None
    assert unusable_name([]) is None


@pytest.mark.parametrize("name", ["", " x", "=1+1", "a\0b", "a\nb", "\x1b[31m", "a\u202eb", "\ud800", "a,b", "<b>"])
def test_others_are_refused_in_one_line(name: str) -> None:
    said = unusable_name(["val_loss", f"val_{name}"])
    assert said is not None
    assert said.isprintable()
    assert said.startswith(f"a metric is named {name!r}: use 1 to 100 letters, digits")


def test_a_long_name_is_shown_in_part() -> None:
    said = unusable_name(["train_" + "a" * 6000])
    assert said is not None
    assert "'aaaaaaaaaaaaaaaaaaaa'... of 6000 characters: use 1 to 100" in said
