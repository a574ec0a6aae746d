"""The queue of runs: one row per unit of a study's budget, leased with a fencing token.

Legal paths of a run: waiting -> running -> complete | pruned | failed | cancelled, running -> waiting when a
holder hands it back, running -> running when a lease ends and another worker takes over, waiting -> cancelled.
Every write of a holder names its token and is refused in the same transaction once the token has grown.
"""

from service.storage.claiming import claim
from service.storage.holding import attach, finish, hand_back, note_facts, record_epoch, renew, under_lease

__all__ = ["attach", "claim", "finish", "hand_back", "note_facts", "record_epoch", "renew", "under_lease"]
