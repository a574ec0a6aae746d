"""The seeds of an own loop's trainings."""

import numpy as np


def own_seeds(study_seed: int, seeds: range) -> list[int]:
    """The numbers in [0, 2**32) that seed the trainings under these of the study's seeds.

    Trials share them on purpose, as those of workers do (common random numbers): a repeat is a paired block when
    variants are compared. Every library takes numbers of 32 bits.
    """
    return [_number(study_seed, seed) for seed in seeds]


def _number(study_seed: int, seed: int) -> int:
    return int(np.random.SeedSequence(study_seed, spawn_key=(seed,)).generate_state(1)[0])
