"""`help()` and editors show every argument of what `pernodedrop` exports, and what it does."""

import inspect
import pydoc
from types import ModuleType
from typing import Any

import pytest

import pernodedrop

_HIDDEN = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
PASSED_ON = {"functional.check_numbers": "any number of tensors"}


def exported() -> dict[str, Any]:
    """Everything public by name; of a module, what it defines itself."""
    found: dict[str, Any] = {}
    for name in pernodedrop.__all__:
        thing = getattr(pernodedrop, name)
        if not isinstance(thing, ModuleType):
            found[name] = thing
            continue
        for inner, one in vars(thing).items():
            if callable(one) and not inner.startswith("_") and one.__module__ == thing.__name__:
                found[f"{name}.{inner}"] = one
    return found


def _is_ours(thing: Any) -> bool:
    called = thing.__init__ if isinstance(thing, type) else thing
    return getattr(called, "__module__", "pernodedrop").startswith("pernodedrop")


def arguments(thing: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(thing).parameters)


EXPORTED = exported()


@pytest.mark.parametrize("name", EXPORTED)
def test_every_argument_is_shown_by_its_name_and_type(name: str) -> None:
    given = arguments(EXPORTED[name])
    swallowed = [one for one, parameter in given.items() if parameter.kind in _HIDDEN and name not in PASSED_ON]
    assert swallowed == [], "an editor shows no argument behind * or **: name them"
    if not _is_ours(EXPORTED[name]):  # the signature is torch's own
        return
    untyped = [one for one, parameter in given.items() if parameter.annotation is inspect.Parameter.empty]
    assert untyped == []


@pytest.mark.parametrize("name", EXPORTED)
def test_help_says_what_it_is_and_shows_the_arguments(name: str) -> None:
    thing = EXPORTED[name]
    own = thing.__doc__ if not isinstance(thing, type) else vars(thing).get("__doc__")
    assert own and not own.startswith(f"{name}("), "it has no docstring of its own"
    page = pydoc.plain(pydoc.render_doc(thing))
    assert [one for one in arguments(thing) if one not in page] == []


@pytest.mark.parametrize("name", EXPORTED)
def test_public_methods_say_what_they_do(name: str) -> None:
    thing = EXPORTED[name]
    if not isinstance(thing, type):
        return
    methods = {
        inner: one
        for inner, one in vars(thing).items()
        if not inner.startswith("_") and (inspect.isfunction(one) or isinstance(one, property))
    }
    overridden = {inner for base in thing.__mro__[1:] for inner in vars(base) if base is not object}
    assert [inner for inner, one in methods.items() if not one.__doc__ and inner not in overridden] == []
    for inner, one in methods.items():
        if inspect.isfunction(one):
            kinds = {parameter.kind for parameter in arguments(one).values()}
            assert not kinds & _HIDDEN, f"{name}.{inner}"
