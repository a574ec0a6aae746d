"""Seeds: a trial's study seed and repeat determine all its random numbers."""

import numpy as np


def repeat_seed(study_seed: int, repeat: int) -> int:
    """The seed in [0, 2**63) of repeat 0, 1, ... in every trial of a study.

    Trials share it on purpose (common random numbers): a repeat is a paired block when variants are compared.
    """
    return _number(np.random.SeedSequence(study_seed, spawn_key=(repeat,)))


def split_seed(study_seed: int, repeat: int) -> int:
    """The seed in [0, 2**63) of the validation split of repeat 0, 1, ..., which the trials of a study share."""
    return named_stream(repeat_seed(study_seed, repeat), "split")


def folds_seed(study_seed: int) -> int:
    """The seed in [0, 2**63) by which a study's data are cut into folds."""
    return named_stream(study_seed, "folds")


def streams(seed: int, count: int) -> list[int]:
    """`count` independent seeds in [0, 2**63) that follow from one."""
    return [_number(child) for child in np.random.SeedSequence(seed).spawn(count)]


def named_stream(seed: int, name: str) -> int:
    """The seed in [0, 2**63) that follows from one for this name, whatever other names there are."""
    return _number(np.random.SeedSequence(seed, spawn_key=tuple(name.encode())))


def _number(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
