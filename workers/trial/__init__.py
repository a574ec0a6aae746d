"""The trial process and what its agent and it agree on: orders and reports, checkpoints, the device's readings.

A process of its own: an out-of-memory kill or a segfault ends one trial, never the worker.
"""
