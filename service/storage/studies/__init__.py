"""Studies: created, listed, changed, extended, cancelled; their trials and curves."""
