"""Stops a trial whose run ends, goes back to the queue or pauses, and waits for its checkpoint."""

import logging
import time
from collections.abc import Callable

from pernodedrop.scrubbing import scrubbed
from workers.trial.messages import Failed, Finished, Stopped
from workers.trial.process import TrialProcess

log = logging.getLogger(__name__)

LISTEN_S = 0.2  # s between two checks of clock, lease and drain while no report comes
LEAVE_S = 5.0  # s in which a stopped trial may end its epoch before its process is killed
KEEP_S = 600.0  # s in which it may also write its checkpoint, where its worker stays: enough for any model


def stopped(
    process: TrialProcess, run_id: int, is_over: Callable[[], bool], leave_by: Callable[[], float], *, keep: bool
) -> bool:
    """Stop the trial at the end of its epoch, with a checkpoint if `keep`, and return whether its process may serve
    again.

    One that takes too long is given up: after LEAVE_S, or with `keep` when its worker leaves, when the run `is_over`,
    and after KEEP_S.

    Raises:
        TrialProcessDied: as `TrialProcess.listen` does.
    """
    process.stop(keep=keep)
    started = time.monotonic()
    while time.monotonic() < (min(leave_by(), started + KEEP_S) if keep else started + LEAVE_S):
        match process.listen(LISTEN_S):
            case Failed(reason, traceback, out_of_memory):
                doing = "could not keep its checkpoint" if keep else "failed when it was to stop"
                log.warning("run %d %s: %s\n%s", run_id, doing, scrubbed(reason), traceback.rstrip())
                return not out_of_memory
            case Finished() | Stopped():
                return True
        if keep and is_over():
            return False
    if keep:
        log.warning("run %d: its checkpoint took too long, and is not kept", run_id)
    return False
