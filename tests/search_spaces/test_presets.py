from importlib.resources import files

import pytest

from search_spaces import UnknownPreset, load_preset, parse_definition, preset_names


def test_the_presets_are_found() -> None:
    assert preset_names() == [
        "cifar10-pernodedrop",
        "cifar10-smoke",
        "implicit-effect",
        "linear-networks",
        "neighbours-cifar10",
        "neighbours-digits",
        "neighbours-digits-recurrent",
        "paper-table1-cifar10",
        "paper-table2-rcv1",
        "paper-table3-speech",
        "paper-table4-cifar10",
        "paper-table4-rcv1",
        "paper-table4-speech",
        "quickstart",
        "what-the-noise-knows",
    ]


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_a_valid_study_of_its_own_name(name: str) -> None:
    definition = parse_definition(load_preset(name))
    assert definition.name == name
    assert definition.description


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_opens_with_a_comment_that_teaches(name: str) -> None:
    text = files("search_spaces.presets").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    head = text[: text.index("schema_version")].splitlines()
    assert len(head) >= 2
    assert all(line.startswith("#") for line in head)


def test_the_quickstart_is_small() -> None:
    definition = parse_definition(load_preset("quickstart"))
    assert (definition.task.name, definition.trials, definition.seed) == ("digits", 40, 7)
    assert definition.task.epochs <= 20
    assert (definition.search, definition.sampler.lag) == ("race", 8)
    regularizers = {"dropout", "gaussian_dropout", "dropconnect", "pernodedrop"}
    assert set(definition.search_space["regularizer"].values or ()) == regularizers


@pytest.mark.parametrize("name", ["", "nothing", "__init__"])
def test_an_unknown_preset_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownPreset, match=r"choose one of cifar10-pernodedrop, .*, what-the-noise-knows$"):
        load_preset(name)
