"""Misspelt names get the one that was meant, whatever takes them: commands, studies, definitions, filters."""

from collections.abc import Callable

import pytest

from pernodedrop.near import nearest

Command = Callable[..., tuple[int, str, str]]

DRY = ("submit", "quickstart", "--name", "other", "--dry-run", "--set")
MISSPELT: dict[tuple[str, ...], str] = {
    ("submt", "quickstart"): "there is no command 'submt': did you mean submit?",
    ("show", "mine"): "there is no command 'show': did you mean studies?",
    ("status",): "there is no command 'status': did you mean studies?",
    ("rm", "mine"): "there is no command 'rm': did you mean delete?",
    ("db", "aduit"): "there is no command 'aduit': did you mean audit?",
    ("submit", "--prset", "quickstart"): "No such option: --prset, did you mean --preset?",
    ("submit", "quickstrat"): "there is no file and no preset 'quickstrat': did you mean quickstart?",
    ("submit", "--preset", "Quick_Start"): "there is no preset 'Quick_Start': did you mean quickstart?",
    ("presets", "table1"): "there is no preset 'table1': did you mean paper-table1-cifar10?",
    ("watch", "mien"): "no study is named 'mien': did you mean mine?",
    ("trials", "mime"): "no study is named 'mime': did you mean mine?",
    ("clone", "mnie", "again"): "no study is named 'mnie': did you mean mine?",
    ("trials", "mine", "--where", "drop_rat>0"): "has no parameter 'drop_rat': did you mean drop_rate?",
    ("trials", "mine", "--state", "runing"): "'cancelled': did you mean \"running\"? see `pernodedrop trials --help`",
    ("studies", "--state", "comlete"): 'did you mean "complete"?',
    ("confirm", "mine", "--until", "decide"): 'did you mean "decided"?',
    ("report", "mine", "--format", "htlm"): 'did you mean "html"?',
    ("weights", "mine", "--format", "onx"): 'did you mean "onnx"?',
    ("trials", "mine", "--sort", "vlaue"): "cannot be sorted by 'vlaue': did you mean value?",
    (*DRY, "task.name=digit"): 'got "digit": did you mean "digits"?',
    (*DRY, "sampler.name=TPE"): 'got "TPE": did you mean "tpe"?',
    (*DRY, "pruner.name=hyperbnd"): 'got "hyperbnd": did you mean "hyperband"?',
    (*DRY, "objectives=[{metric: val_acuracy, direction: maximize}]"): "did you mean val_accuracy?",
    (*DRY, "objectives=[{metric: val_loss, direction: minimise}]"): 'did you mean "minimize"?',
    (*DRY, "fixed.regularizer=drop-out"): 'did you mean "dropout"?',
    (*DRY, "fixed.optimiser=adam"): "did you mean optimizer?",
    (*DRY, "budget.trails=3"): "budget.trails is no known field: did you mean trials?",
    (*DRY, "start_from=mien"): 'got "mien": did you mean mine?',
    ("submit", "quickstart", "--name", "other", "--scale", "variants=dropuot"): 'did you mean "dropout"?',
}


def test_every_misspelt_name_gets_the_one_that_was_meant(command: Command) -> None:
    command("submit", "quickstart", "--name", "mine")
    for arguments, message in MISSPELT.items():
        code, said, told = command(*arguments)
        assert code != 0, arguments
        assert said == "", arguments
        assert message in told, (arguments, told)


WRONG_NUMBERS = {
    ("run", "--workers", "0"): "'--workers': must be greater than or equal to 1, got '0'",
    ("serve", "--port", "99999999999999999999"): "must be less than or equal to 65535, got '99999999999999999999'",
    ("trial", "mine", "1.5"): "'number': must be a valid integer, got '1.5'",
    ("confirm", "mine", "--top", "many"): "must be a valid integer, got 'many'",
    ("audit-log", "--limit", "0"): "must be greater than or equal to 1, got '0'",
}


def test_every_wrong_number_is_named_with_its_rule(command: Command) -> None:
    for arguments, message in WRONG_NUMBERS.items():
        code, said, told = command(*arguments)
        assert (code, said) == (2, ""), arguments
        assert message in told, (arguments, told)
        assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("TPE", ["tpe", "gp"], "tpe"),
        ("per node drop", ["dropout", "pernode_drop"], "pernode_drop"),
        ("gaussian", ["pernodedrop-gaussian", "dropout"], "pernodedrop-gaussian"),
        ("gaussian", ["a-gaussian-much-longer-name", "b-gaussian-much-longer-name"], None),
        ("xyz", ["tpe"], None),
        (3, ["tpe"], None),
        ("a" * 1_000_000, ["tpe"], None),
    ],
)
def test_what_is_near(name: object, known: list[str], meant: str | None) -> None:
    assert nearest(name, known) == meant
