"""Optuna's own pages, below ours and read-only."""
