"""What a run is for: whoever trains it, a worker or an own loop, asks here what to train and brings what came of it.

`assignment` describes a purpose, `search_trial` and `confirmation_run` are the two, `choosing` tells which a run has.
`progress` makes values of epochs, `epochs` writes them down.
"""
