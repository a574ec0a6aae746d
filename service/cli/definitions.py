"""Study definitions from files, presets and `--set key=value`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pernodedrop.near import did_you_mean
from search_spaces import StudyShape, UnknownPreset, load_preset, preset_names
from search_spaces.completion import without_implied_trials
from search_spaces.part import Part, by_name
from search_spaces.presets import preset_text
from search_spaces.problems import shown
from search_spaces.pruners import PRUNERS
from search_spaces.samplers import SAMPLERS
from search_spaces.yaml_text import NotYaml, read_yaml
from service.cli.exit_codes import ExitCode, Failure

CHOSEN: Mapping[str, Mapping[str, type[Part]]] = {"sampler": by_name(SAMPLERS), "pruner": by_name(PRUNERS)}
_SUFFIXES = (".yaml", ".yml", ".json")
LARGEST_FILE = 1 << 20  # bytes; the controller has the same limit


def definition_of(
    file: Path | None, preset: str | None, overrides: Sequence[str] = (), name: str | None = None
) -> dict[str, Any]:
    """Return the definition as a mapping, before its rules are checked.

    Raises:
        Failure: neither or both sources are given, or one cannot be read.
    """
    if (file is None) == (preset is None):
        raise Failure("give either a file or --preset: `pernodedrop presets` lists them", ExitCode.WRONG)
    if file is not None and not file.exists() and file.parent == Path() and file.suffix not in _SUFFIXES:
        file, preset = None, _meant_preset(str(file))
    return changed(read_file(file) if file is not None else preset_of(str(preset)), overrides, name)


def _meant_preset(name: str) -> str:
    """The preset whose name stands where a file is expected."""
    names = preset_names()
    if name in names:
        return name
    remedy = did_you_mean(name, names, "`pernodedrop presets` lists the ready-made ones")
    raise Failure(f"there is no file and no preset {name[:60]!r}: {remedy}", ExitCode.WRONG)


def copied(
    definition: Mapping[str, Any], overrides: Sequence[str], name: str | None, how: str = "with --name"
) -> dict[str, Any]:
    """Return the definition of a study of the service, to be submitted again under another name.

    It says whatever the study does, also what its release did not say: one from before there were races is free.

    Raises:
        Failure: the copy has the study's own name, or an override has another form.
    """
    copy = changed(_without_implied_trials(definition), overrides, name)
    if copy["name"] == definition["name"]:
        raise Failure(f"give the copy of {definition['name']} a name of its own {how}", ExitCode.WRONG)
    return copy


def _without_implied_trials(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        stored = StudyShape.model_validate(definition)
    except ValidationError:  # of another release, which the controller judges
        return definition
    trials = without_implied_trials(stored).budget.trials
    return {**definition, "budget": {**definition["budget"], "trials": trials}}


def changed(written: Mapping[str, Any], overrides: Sequence[str], name: str | None) -> dict[str, Any]:
    """Return the definition with the overrides and the name."""
    definition = deepcopy(dict(written))
    _check_once(overrides)
    for override in overrides:
        apply(definition, override)
    for field in CHOSEN:
        _drop_former_options(definition, written, field)
    return definition if name is None else {**definition, "name": name}


def preset_of(name: str) -> dict[str, Any]:
    """Return the preset of that name."""
    with _known_preset():
        return load_preset(name)


def text_of_preset(name: str) -> str:
    """Return the preset of that name as YAML with comments."""
    with _known_preset():
        return preset_text(name)


@contextmanager
def _known_preset() -> Iterator[None]:
    try:
        yield
    except UnknownPreset as error:
        raise Failure(str(error), ExitCode.WRONG) from error


def read_file(file: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; JSON is YAML too."""
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise Failure(f"{file} is larger than 1 MiB: a study definition is a page of text", ExitCode.WRONG)
        loaded = read_yaml(content)
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}", ExitCode.WRONG) from error
    except NotYaml as error:
        raise Failure(f"cannot read {file}: {error}", ExitCode.WRONG) from error
    if not isinstance(loaded, dict):
        got = "nothing" if loaded is None else shown(loaded)
        raise Failure(f"{file} must hold a mapping such as `name: my-study`, got {got}", ExitCode.WRONG)
    return loaded


def apply(definition: dict[str, Any], override: str) -> None:
    """Set `a.b.c=value` in the definition; the value is YAML, and numbers in the path index lists.

    Raises:
        Failure: the text has another form, or the path leads through a value.
    """
    path, equals, text = override.partition("=")
    keys = path.split(".")
    if not equals or not all(keys) or not path.isprintable():
        raise Failure(f"--set takes key=value such as budget.trials=50, got {override[:60]!r}", ExitCode.WRONG)
    try:
        value = read_yaml(text)
    except NotYaml as error:
        raise Failure(f"--set {path}: cannot read {text[:60]!r}: {error}", ExitCode.WRONG) from error
    place: Any = definition
    for depth, key in enumerate(keys[:-1], start=1):
        place = _step(place, key, ".".join(keys[:depth]))
    if isinstance(place, list):
        place[_index(place, keys[-1], path)] = value
    elif isinstance(place, dict):
        place[keys[-1]] = value
    else:
        raise _no_way(path)


def _check_once(overrides: Sequence[str]) -> None:
    """Check that no override takes back what one before it sets.

    Raises:
        Failure: one has the path of another, or of something around it.
    """
    paths = [override.partition("=")[0] for override in overrides]
    for count, path in enumerate(paths):
        lost = next((number for number in range(count) if f"{paths[number]}.".startswith(f"{path}.")), None)
        if lost is not None:
            raise Failure(
                f"--set {overrides[count][:60]} takes back --set {overrides[lost][:60]} before it: keep one of them",
                ExitCode.WRONG,
            )


def _drop_former_options(definition: dict[str, Any], written: Mapping[str, Any], field: str) -> None:
    """Where overrides name another sampler or pruner, take the former's options away that it does not know."""
    former, chosen = written.get(field), definition.get(field)
    if not isinstance(former, dict) or not isinstance(chosen, dict) or former.get("name") == chosen.get("name"):
        return
    part = CHOSEN[field].get(str(chosen.get("name")))
    for option, value in former.items():
        if part is not None and option not in part.model_fields and chosen.get(option) == value:
            del chosen[option]


def _step(place: Any, key: str, path: str) -> Any:
    if isinstance(place, dict):
        if place.get(key) is None:  # a stored definition has null for a part that it does not have
            place[key] = {}
        return place[key]
    if isinstance(place, list):
        return place[_index(place, key, path)]
    raise _no_way(path)


def _index(place: list[Any], key: str, path: str) -> int:
    if key.isdecimal() and len(key) < 10 and int(key) < len(place):
        return int(key)
    raise Failure(
        f"--set {path[:60]}: the list has the entries 0 to {len(place) - 1}, got {key[:60]!r}", ExitCode.WRONG
    )


def _no_way(path: str) -> Failure:
    return Failure(f"--set {path[:60]}: there is a value above it, not a mapping", ExitCode.WRONG)
