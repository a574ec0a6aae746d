"""Trains runs of a capsule again, from the file alone, and says whether the figures are the same.

`choosing` finds the runs that are meant, `own_code` says whose code may run, `again` trains in the isolated process
that a worker has, and `comparison` judges. None of them needs a database.
"""
