"""Everything that knows Optuna's inside: its private names, its keys, and statements on its tables."""
