"""Which layers of a model are meant, and where their samples lie."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any, cast

from torch import nn
from torch.nn.modules.conv import _ConvNd

from pernodedrop.layers.regularizing import Watched
from pernodedrop.places import KINDS, is_offered
from pernodedrop.takeover import check_whole, own_class

One = str | int | re.Pattern[str] | type[nn.Module]
Where = One | Iterable[One] | Callable[[str, Any], bool] | None
Holds = Callable[[str, nn.Linear], bool]
Kinds = tuple[type[nn.Module], ...]


def chosen_layers(model: nn.Module, where: Where, place: str = "slot", also: Kinds = ()) -> dict[str, nn.Linear]:
    """The dense layers of the model that `where` chooses, as `regularize` says, by their qualified names.

    For another place it is the modules of its kinds that are chosen, whatever their type says here. A part of the
    choice that holds for none of these chooses among the modules of the kinds `also`.

    Raises:
        ValueError: `where` is no choice, a name in it chooses nothing, or a layer cannot be regularized any more.
    """
    attentions = [module for module in model.modules() if isinstance(module, nn.MultiheadAttention)]
    never = {attention.out_proj for attention in attentions}
    layers = {
        name: cast(nn.Linear, module)
        for name, module in model.named_modules(remove_duplicate=False)
        if name and isinstance(module, (*KINDS[place], *also)) and module not in never
    }
    chosen: dict[str, nn.Linear] = {}
    for one, holds in _choices(where, place, also):
        found = _held(holds, layers, KINDS[place], also)
        if not found and one is not where:
            remedy = instead(model, one, also)
            raise ValueError(
                f"where: {_said(one)} chooses no {kinds_of(place, also)} of {type(model).__name__}{remedy}"
            )
        chosen |= found
    chosen = {name: layer for name, layer in layers.items() if name in chosen}  # in the model's order
    for name, layer in chosen.items():
        check_whole(name, layer)
    return chosen


def _held(holds: Holds, layers: dict[str, nn.Linear], dense: Kinds, also: Kinds) -> dict[str, nn.Linear]:
    """The dense layers for which the part of a choice holds, or where it holds for none, the others.

    A predicate that means some of the kinds may ask for what others do not have.
    """
    failure, answered = None, False
    try:
        found = {name: layer for name, layer in layers.items() if isinstance(layer, dense) and holds(name, layer)}
    except AttributeError as error:
        found, failure = {}, error
    if found:
        return found
    for name, layer in layers.items():
        if isinstance(layer, also):
            with suppress(AttributeError):
                if holds(name, layer):
                    found[name] = layer
                answered = True
    if failure is not None and not answered:
        raise failure
    return found


def kinds_of(place: str, also: Kinds = ()) -> str:
    """The kinds of modules at such a place, and `also` others, in words."""
    return " or ".join(f"nn.{kind.__name__}" for kind in (*KINDS[place], *also))


def instead(model: nn.Module, where: object, also: Kinds = ()) -> str:
    """The remedy where what is chosen is convolutions, or could be, as the end of a message; else nothing."""
    if where is None:
        return ": say where=nn.Conv2d" if also and any(isinstance(module, also) for module in model.modules()) else ""
    named = [type(module) for name, module in model.named_modules() if name and _is_meant(where, name, module)]
    return next((_instead_of(kind, also) for kind in named if issubclass(kind, _ConvNd)), "")


def _instead_of(kind: type[nn.Module], also: Kinds) -> str:
    """The remedy where a layer of this kind of convolutions is meant."""
    if issubclass(kind, Watched):
        return f": {kind.__name__} has a regularizer already"
    if not issubclass(kind, nn.Conv2d):
        return f": {kind.__name__} is no nn.Conv2d, the only convolution that takes a regularizer: leave it out"
    return (
        f": {kind.__name__} is chosen by its class or an exact name"
        if also
        else ": only pernodedrop takes convolutions"
    )


def _is_meant(where: object, name: str, module: nn.Module) -> bool:
    if isinstance(where, type):
        return isinstance(module, where)
    if isinstance(where, str | int):
        return fnmatchcase(name, str(where))
    return isinstance(where, re.Pattern) and where.fullmatch(name) is not None


def _said(one: object) -> str:
    return one.__name__ if isinstance(one, type) else repr(one)


def batch_dims(model: nn.Module, names: Iterable[str]) -> dict[str, int]:
    """Where the samples lie in the inputs (B, T, I) or (T, B, I) of the layers of these names: 0 or 1.

    torch's attentions and recurrences tell it for the layers around them: the nearest module that holds a layer and any
    of these decides. Where there is none, or they disagree, it is 0.
    """
    told: dict[str, set[bool]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, nn.MultiheadAttention | nn.RNNBase):
            for around in _around(name):
                told.setdefault(around, set()).add(bool(module.batch_first))
    found = {name: next((told[around] for around in _around(name) if around in told), set()) for name in names}
    return {name: 1 if batch_first == {False} else 0 for name, batch_first in found.items()}


def _around(name: str) -> Iterator[str]:
    """The names of the modules around the one of that name, the nearest first."""
    while name:
        name = name.rpartition(".")[0]
        yield name


def _choices(where: Where, place: str, also: Kinds) -> list[tuple[object, Holds]]:
    """The parts of a choice, each with the layers for which it holds."""
    if where is None:
        unnamed = place in ("slot", "recurrence")  # of which any is meant; an nn.Identity may stand for anything
        return [
            (
                where,
                lambda name, layer: (
                    isinstance(layer, KINDS[place])
                    and _is_plain(layer, KINDS[place])
                    and (unnamed or is_offered(place, name))
                ),
            )
        ]
    if isinstance(where, str | int | re.Pattern | type) and not isinstance(where, bool):
        return [(where, _matching(where, place, also))]
    if callable(where):
        return [(where, where)]
    if isinstance(where, list | tuple | set | frozenset):
        listed = (str, int, re.Pattern, type)
        if wrong := [one for one in where if not isinstance(one, listed) or isinstance(one, bool)]:
            raise ValueError(f"where must list names, patterns, numbers or classes, got {wrong[0]!r}")
        return [(one, _matching(one, place, also)) for one in where]
    raise ValueError(
        "where must be a name or pattern, a number in nn.Sequential, a list of these, a subclass of "
        f"{kinds_of(place, also)}, a predicate of (name, layer) or None, got {where!r}"
    )


def _matching(one: One, place: str, also: Kinds) -> Holds:
    kinds = (*KINDS[place], *also)
    if isinstance(one, type):
        if not issubclass(one, kinds):
            remedy = _instead_of(one, also) if issubclass(one, _ConvNd) else ""
            raise ValueError(f"where must be {kinds_of(place, also)} or a subclass of it, got {one.__name__}{remedy}")
        return lambda _, layer: isinstance(layer, one)
    if isinstance(one, re.Pattern):
        return lambda name, layer: _is_plain(layer, kinds) and one.fullmatch(name) is not None
    pattern = str(one)
    return lambda name, layer: (
        (_is_plain(layer, kinds) and fnmatchcase(name, pattern)) or (name == pattern and not isinstance(layer, Watched))
    )


def _is_plain(layer: nn.Module, kinds: Kinds) -> bool:
    return own_class(layer) in (*kinds, nn.LazyLinear, nn.LazyConv2d)
