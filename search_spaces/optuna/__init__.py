"""Optuna's samplers and pruners for a study, and what they suggest. Importing this loads Optuna."""

from search_spaces.optuna.building import build_pruner, build_sampler
from search_spaces.optuna.given import given_to, is_outside, trained_with
from search_spaces.optuna.history import history_of
from search_spaces.optuna.seen import learnt_from
from search_spaces.optuna.suggestion import suggest, suggested
from search_spaces.optuna.within import given_params

__all__ = [
    "build_pruner",
    "build_sampler",
    "given_params",
    "given_to",
    "history_of",
    "is_outside",
    "learnt_from",
    "suggest",
    "suggested",
    "trained_with",
]
