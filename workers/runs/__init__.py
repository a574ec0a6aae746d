"""A worker's way through the queue: it leases runs, has each trained, and notes how each ended.

`agent` leases and leaves; `service.storage.assignments` says what each run is for. `rounds` is its work between
two runs, `lease` renews in the background, `execution` trains one lease's run.
"""
