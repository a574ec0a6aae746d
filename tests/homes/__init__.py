"""Databases as earlier releases left them, killed in the middle of their work."""
