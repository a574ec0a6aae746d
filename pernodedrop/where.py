"""Which layers of a model are meant, and where their samples lie."""

import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase, translate
from typing import cast

from torch import nn
from torch.nn.modules.conv import _ConvNd

from pernodedrop.layers.regularizing import Regularizing
from pernodedrop.places import KINDS, is_offered
from pernodedrop.takeover import check_whole, own_class

One = str | int | re.Pattern[str]
Where = One | Iterable[One] | type[nn.Module] | Callable[[str, nn.Linear], bool] | None
Holds = Callable[[str, nn.Linear], bool]
_CONVOLUTION = ": a convolution is regularized where the model is built, by PerNodeDropConv2d"


def chosen_layers(model: nn.Module, where: Where, place: str = "slot") -> dict[str, nn.Linear]:
    """The dense layers of the model that `where` chooses, as `regularize` says, by their qualified names.

    For another place it is the modules of its kinds that are chosen, whatever their type says here.

    Raises:
        ValueError: `where` is no choice, a name in it chooses nothing, or a layer cannot be regularized any more.
    """
    attentions = [module for module in model.modules() if isinstance(module, nn.MultiheadAttention)]
    never = {attention.out_proj for attention in attentions}
    layers = {
        name: cast(nn.Linear, module)
        for name, module in model.named_modules(remove_duplicate=False)
        if name and isinstance(module, KINDS[place]) and module not in never
    }
    chosen: dict[str, nn.Linear] = {}
    for one, holds in _choices(where, place):
        found = {name: layer for name, layer in layers.items() if holds(name, layer)}
        if not found and one is not where:
            remedy = instead(model, one)
            raise ValueError(f"where: {one!r} chooses no {kinds_of(place)} of {type(model).__name__}{remedy}")
        chosen |= found
    chosen = {name: layer for name, layer in layers.items() if name in chosen}  # in the model's order
    for name, layer in chosen.items():
        check_whole(name, layer)
    return chosen


def kinds_of(place: str) -> str:
    """The kinds of modules at such a place, in words."""
    return " or ".join(f"nn.{kind.__name__}" for kind in KINDS[place])


def instead(model: nn.Module, where: object) -> str:
    """The remedy where a name or pattern chooses nothing but convolutions, as the end of a message; else nothing."""
    if not isinstance(where, str | int | re.Pattern):
        return ""
    pattern = where if isinstance(where, re.Pattern) else re.compile(translate(str(where)))
    named = [module for name, module in model.named_modules() if name and pattern.fullmatch(name)]
    return _CONVOLUTION if any(isinstance(module, _ConvNd) for module in named) else ""


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


def _choices(where: Where, place: str) -> list[tuple[object, Holds]]:
    """The parts of a choice, each with the layers for which it holds."""
    if isinstance(where, type):
        if not issubclass(where, KINDS[place]):
            remedy = _CONVOLUTION if issubclass(where, _ConvNd) else ""
            raise ValueError(f"where must be {kinds_of(place)} or a subclass of it, got {where.__name__}{remedy}")
        return [(where, lambda _, layer: isinstance(layer, where))]
    if where is None:
        unnamed = place in ("slot", "recurrence")  # of which any is meant; an nn.Identity may stand for anything
        return [(where, lambda name, layer: _is_plain(layer, place) and (unnamed or is_offered(place, name)))]
    if isinstance(where, str | int | re.Pattern) and not isinstance(where, bool):
        return [(where, _matching(where, place))]
    if callable(where):
        return [(where, where)]
    if isinstance(where, list | tuple | set | frozenset):
        if wrong := [one for one in where if not isinstance(one, str | int | re.Pattern) or isinstance(one, bool)]:
            raise ValueError(f"where must list names, patterns or numbers, got {wrong[0]!r}")
        return [(one, _matching(one, place)) for one in where]
    raise ValueError(
        "where must be a name or pattern, a number in nn.Sequential, a list of these, a subclass of "
        f"{kinds_of(place)}, a predicate of (name, layer) or None, got {where!r}"
    )


def _matching(one: One, place: str) -> Holds:
    if isinstance(one, re.Pattern):
        return lambda name, layer: _is_plain(layer, place) and one.fullmatch(name) is not None
    pattern = str(one)
    return lambda name, layer: (
        (_is_plain(layer, place) and fnmatchcase(name, pattern))
        or (name == pattern and not isinstance(layer, Regularizing))
    )


def _is_plain(layer: nn.Module, place: str) -> bool:
    return own_class(layer) in (*KINDS[place], nn.LazyLinear)
