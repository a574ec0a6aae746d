"""Regularizers beyond the compared family, one file each: see docs/methods.md."""
