"""A worker's way through the queue: it leases runs, has each trained, and notes how each ended.

`agent` leases and leaves, `rounds` is what it does between two runs, `lease` renews in the background; `execution` sees
to one lease, whatever it is for, and `assignment` says what that is: `assigning` chooses a `search_trial` or a
`confirmation_run`.
"""
