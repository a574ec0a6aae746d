"""A worker's way through the queue: it leases runs, has each trained, and notes how each ended.

`agent` leases and leaves, and chooses what a run is for: a `search_trial` or a `confirmation_run`, which `assignment`
describes. `rounds` is its work between two runs, `lease` renews in the background, `execution` trains one lease's run.
"""
