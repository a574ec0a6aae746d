import pytest

from search_spaces import load_preset, parse_definition
from service.cli.exit_codes import ExitCode, Failure
from service.cli.scaling import scaled_definition


def test_without_a_scale_the_definition_is_handed_on_as_it_is() -> None:
    assert scaled_definition({"no": "study"}, []) == {"no": "study"}


def test_keys_and_their_values() -> None:
    texts = ["epochs=5", "train_size=10000", "rates=0.2,0.4", "units=32,64", "variants=dropout,dropconnect"]
    study = parse_definition(scaled_definition(load_preset("paper-table1-cifar10"), texts))
    assert (study.task.epochs, study.task.train_size, study.trials) == (5, 10_000, 2 * 2 * 2)


def test_numbers_are_those_of_a_definition() -> None:
    study = parse_definition(scaled_definition(load_preset("paper-table1-cifar10"), ["epochs=5e0", "rates=2e-1,.4"]))
    assert (study.task.epochs, list(study.search_space["drop_rate"].values or ())) == (5, [0.2, 0.4])


def test_a_limit_is_given_once() -> None:
    with pytest.raises(Failure, match="--scale epochs is given twice: keep one of them"):
        scaled_definition(load_preset("quickstart"), ["epochs=5", "small", "epochs=6"])


def test_a_later_scale_goes_before_an_earlier_one() -> None:
    study = parse_definition(scaled_definition(load_preset("paper-table1-cifar10"), ["small", "epochs=2"]))
    assert (study.task.epochs, study.task.train_size) == (2, 2_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tiny", "--scale: scale must be small, medium, full or key=value, got 'tiny'"),
        ("depth=3", "--scale takes epochs, train_size, val_size, repeats, trials, variants, rates, units, got 'depth'"),
        ("epochs=0", "--scale epochs: must be a whole number from 1, got '0'"),
        ("epochs=1.5", "--scale epochs: must be a whole number from 1, got '1.5'"),
        ("epochs=" + "9" * 5000, "--scale epochs: must be a whole number from 1, got '9"),
        ("epochs=0x", "--scale epochs: must be a whole number from 1, got '0x'"),
        ("epochs=٣", "--scale epochs: must be a whole number from 1, got '٣'"),
        ("rates=nan", "--scale rates: must be given as 0.2,0.4, got 'nan'"),
        ("rates=.inf", "--scale rates: must be given as 0.2,0.4, got '.inf'"),
        ("rates=true", "--scale rates: must be given as 0.2,0.4, got 'true'"),
        ("units=3_2", "--scale units: must be given as 32,64, got '3_2'"),
        ("rates=low", "--scale rates: must be given as 0.2,0.4, got 'low'"),
        ("units=", "--scale units: must be given as 32,64, got ''"),
        ("rates=0.95", "--scale: drop_rate is never 0.95 in this study"),
    ],
)
def test_a_wrong_scale_is_wrong_usage(text: str, message: str) -> None:
    with pytest.raises(Failure) as caught:
        scaled_definition(load_preset("paper-table1-cifar10"), [text])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert caught.value.code is ExitCode.WRONG


def test_an_invalid_definition_is_wrong_usage() -> None:
    with pytest.raises(Failure, match=r"budget\.trials is missing") as caught:
        scaled_definition({**load_preset("quickstart"), "budget": {}}, ["small"])
    assert caught.value.code is ExitCode.WRONG
