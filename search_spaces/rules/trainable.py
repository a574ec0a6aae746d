"""Rules for values that no training of a built-in task can have together: such a trial would fail, in every repeat."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from search_spaces.conditions import Needs, all_needs
from search_spaces.dimensions import Value
from search_spaces.networks import map_side, slot_widths
from search_spaces.problems import Problem, listed, shown
from search_spaces.rules.stated import Stated, stated
from search_spaces.shape import StudyShape
from search_spaces.task import BUILT_IN_TASKS
from search_spaces.trial_config import TrialConfig

MOST_TRIED = 2_000  # combinations of values; a trial of the others fails with the same remedy
# Methods whose rate is drawn, computed or learned once for all, or that have none.
UNSCHEDULED = (
    "masksembles",
    "standout",
    "ninr",
    "variational_dropout",
    "sparse_variational_dropout",
    "concrete_dropout",
    "gradient_noise",
)
NOISE = {"r_drop": "dropout", "averaged": "dropout"}  # methods around a noise, and the noise by default
BLOCKS = {"block_dropout": 2, "drop_block": 7}  # methods in blocks, and their size by default


class _Study:
    """What a study states of its parameters."""

    def __init__(self, definition: StudyShape) -> None:
        self.definition = definition
        self._needs: Mapping[str, Needs] = all_needs(definition.search_space)

    def of(self, parameter: str, default: Value, *, every: bool = False) -> list[Stated]:
        return list(stated(self.definition, self._needs, parameter, default, every=every))

    def having(self, parameter: str, default: Value, *values: Value) -> list[Stated]:
        """Those of the values that a trial may have."""
        return [each for each in self.of(parameter, default) if each.value in values]

    def regularizers(self, *names: str) -> list[Stated]:
        return self.having("regularizer", TrialConfig.regularizer, *names)


def _together(*several: Sequence[Stated]) -> Iterator[tuple[Stated, ...]]:
    """The combinations of values that one trial may have."""
    for first, *others in islice(product(*several), MOST_TRIED):
        if first.meets(*others):
            yield first, *others


def _said(*values: tuple[str, Stated]) -> str:
    return " and ".join(f"{name} {shown(each.value)}" for name, each in values)


def _blamed(found: Sequence[Stated]) -> str:
    """The place of the first value that the study itself states."""
    return next((each.path for each in found if each.path is not None), "fixed.regularizer")


def schedules_suit_their_regularizers(definition: StudyShape) -> Iterator[Problem]:
    study = _Study(definition)
    schedules = [each for each in study.of("drop_rate_schedule", "constant") if each.value != "constant"]
    if not schedules:
        return
    for schedule, of in _together(schedules, study.regularizers(*UNSCHEDULED)):
        yield _unscheduled(schedule, f"{of.value}, whose drop rate cannot change")
    fixed = study.having("mask_mode", TrialConfig.mask_mode, "fixed")
    for schedule, _, of in _together(schedules, fixed, study.regularizers("pernodedrop")):
        yield _unscheduled(schedule, f'{of.value} with mask_mode "fixed", which draws its masks once')
    around = study.having("noise", NOISE["r_drop"], "pernodedrop")
    for schedule, _, _, of in _together(schedules, fixed, around, study.regularizers("r_drop")):
        yield _unscheduled(
            schedule, f'{of.value} around pernodedrop with mask_mode "fixed", which draws its masks once'
        )


def _unscheduled(schedule: Stated, of: str) -> Problem:
    remedy = "search the schedule under when: {regularizer: ...}, or leave that method out"
    return Problem.at(_blamed([schedule]), f"must be constant for {of}, got {shown(schedule.value)}: {remedy}")


def averaged_noise_can_be_drawn_again(definition: StudyShape) -> Iterator[Problem]:
    study = _Study(definition)
    averaged = study.regularizers("averaged")
    if not averaged:
        return
    fixed = study.having("mask_mode", TrialConfig.mask_mode, "fixed")
    around = study.having("noise", NOISE["averaged"], "pernodedrop")
    for found in _together(fixed, around, averaged):
        rule = "must be dynamic for averaged around pernodedrop, which needs masks that differ from pass to pass"
        yield Problem.at(_blamed(found), f"{rule}, got {shown(found[0].value)}")
    shared = study.having("added_noise", "none", "shared_masks")
    others = [each for each in study.of("noise", NOISE["averaged"]) if each.value != "pernodedrop"]
    for found in _together(shared, others, averaged):
        rule = f"needs noise: pernodedrop, whose masks a batch can share, got {_said(('noise', found[1]))}"
        yield Problem.at(_blamed(found), f'"shared_masks" {rule}' if found[0].path is None else rule)


def blocks_divide_their_layers(definition: StudyShape) -> Iterator[Problem]:
    study = _Study(definition)
    methods = study.regularizers("block_dropout")
    if not methods:
        return
    sizes = study.of("block_size", BLOCKS["block_dropout"], every=True)
    units = study.of("units", TrialConfig.units, every=True)
    for size, width, _ in _together(sizes, units, methods):
        if not (isinstance(size.value, int) and isinstance(width.value, int)):
            continue
        broken = [each for each in slot_widths(definition.task, width.value) if each % size.value]
        if broken:
            rule = f"must divide the {broken[0]} features of a layer that block_dropout regularizes"
            if size.path is None:
                rule = f"must give block_dropout layers whose features are multiples of block_size, not {broken[0]}"
            said = f"got {_said(('block_size', size), ('units', width))}"
            yield Problem.at(_blamed([size, width]), f"{rule}, {said}: choose another block_size or other units")
            return


def maps_suit_their_regularizers(definition: StudyShape) -> Iterator[Problem]:
    study, side = _Study(definition), map_side(definition.task)
    if side is None:
        return
    sizes = study.of("block_size", BLOCKS["drop_block"])
    rates = [each for each in study.of("drop_rate", TrialConfig.drop_rate) if each.value]  # 0 drops no block
    for size, of, _ in _together(sizes, study.regularizers("drop_block"), rates):
        if isinstance(size.value, int) and size.value > side:
            most = f"at most {side}, the side of the maps of {_network(definition)}"
            if size.path is None:
                rule = f"needs a block_size for drop_block, {most}, got none, which is {size.value}"
            else:
                rule = f"must be {most}, for drop_block, got {size.value}"
            yield Problem.at(_blamed([size, of]), rule)
            break
    layouts = [each for each in study.of("layout", "maps") if each.value != "maps"]
    for found in _together(layouts, study.regularizers("spatial_dropout")):
        rule = f"must be maps for {_network(definition)}, whose features are maps, got {shown(found[0].value)}"
        yield Problem.at(_blamed(found), rule)


def recipe_suits_the_task(definition: StudyShape) -> Iterator[Problem]:
    task, built_in = definition.task, BUILT_IN_TASKS.get(definition.task.name)
    if built_in is None:
        return
    study = _Study(definition)
    if built_in.augmentations is not None:
        for each in study.of("augmentation", "none"):
            if each.value != "none" and each.value not in built_in.augmentations:
                rule = f"must be {listed(('none', *built_in.augmentations))} for {task.name}, got {shown(each.value)}"
                yield Problem.at(_blamed([each]), rule)
    if built_in.smooths_labels is False:
        for each in study.of("label_smoothing", 0.0):
            if each.value:
                rule = f"must be 0 for {task.name}, which predicts numbers, got {shown(each.value)}"
                yield Problem.at(_blamed([each]), rule)


def _network(definition: StudyShape) -> str:
    backbone = definition.task.options.get("backbone", "paper")
    return f"{definition.task.name} with the backbone {shown(backbone)}"


_OF_BUILT_IN = (
    schedules_suit_their_regularizers,
    averaged_noise_can_be_drawn_again,
    blocks_divide_their_layers,
    maps_suit_their_regularizers,
    recipe_suits_the_task,
)


def values_can_be_trained_together(definition: StudyShape) -> Iterator[Problem]:
    """An own task may use these names for layers of its own."""
    if definition.task.is_built_in:
        for rule in _OF_BUILT_IN:
            yield from rule(definition)


RULES = (values_can_be_trained_together,)
