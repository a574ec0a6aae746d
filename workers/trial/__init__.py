"""The trial process and its interface to the agent: orders and reports, checkpoints, readings of the device.

It is a separate process: an out-of-memory kill or a segfault ends one trial, never the worker.
"""
