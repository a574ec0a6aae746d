"""Studies: created, listed, changed, extended, cancelled; their trials, curves and examinations."""
