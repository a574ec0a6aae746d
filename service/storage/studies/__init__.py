"""Studies and what people read of them: created, listed, changed, extended, cancelled; their trials and curves."""
