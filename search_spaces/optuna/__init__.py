"""Optuna's samplers and pruners for a study, and what they suggest. Importing this loads Optuna."""

from search_spaces.optuna.building import build_pruner, build_sampler
from search_spaces.optuna.suggestion import suggest
from search_spaces.optuna.within import given_params

__all__ = ["build_pruner", "build_sampler", "given_params", "suggest"]
