"""A nursery that several workers of one machine share: `python -m workers.trial.shared DESCRIPTOR...`, one for each.

torch is loaded once then, and not once a worker. A worker that finds it gone starts one of its own.
"""

import os
import sys

from pernodedrop import door

if __name__ == "__main__":
    door.hold_signals()
    door.open_streams()
    from workers.trial.family import environment_of_trials

    clean = environment_of_trials(os.environ)
    if clean != dict(os.environ):  # what is loaded below must begin with it
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], clean)  # noqa: S606

    from search_spaces.task_folders import search_tasks
    from workers.trial.nursery import main

    search_tasks()
    main(*map(int, sys.argv[1:]))
