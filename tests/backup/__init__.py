"""Databases as files: dumped, moved, restored, upgraded."""
