"""The life of a run: one row of fleet.runs, one unit of a study's budget, leased with a fencing token.

    waiting --claim--> running --finish--> complete | pruned | failed | cancelled
      | ^                |  |
      | +---hand_back----+  +--its lease ends, another worker claims it--> running, with the next token
      +--its study is stopped or reaches a limit, or somebody cancels it--> cancelled

* A study is created with its whole budget *waiting*. `supply` gives its next runs rows, and notes how many are to come.
  Rows are claimed, not counted, so the budget is exact.
* `claiming`: a worker first gets a run that lost its holder, then one that waits, by priority and fair share. Every
  claim raises the token, and the attempts unless the holder is the same or the run was paused.
* `asking`: a run of the search becomes one Optuna trial, made with its mark; the next holder resumes that trial.
* `holding`: every write of a holder names its token and its claim, and is refused, in the same transaction, once the
  token has grown or the database was set back.
  `renew`, `attach`, `note_facts`, `record_epoch`, `hand_back` (no failed attempt), `finish`.
* `endings`: a run ends with its reason, device time (`expressions`) and values. With the last one its study ends, or
  its best configurations wait to be confirmed (`confirmation`); `limits` cancel what waits, in batches.
* `expiry`: any live worker ends runs that may not be taken over: those lost too often, or of a stopped study.
* `counting`: triggers keep how many runs are in each state. `removal`: what a deleted study leaves goes in batches.
* `history`: a trigger writes every change of state or holder; people read it as attempts, the audit as a path.
"""
