"""Our own tables, beside Optuna's, in a separate Postgres schema: Optuna has a `studies` table too.

The schema must not be named like a likely database user: Postgres looks into "$user" before "public".
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

from service.storage.states import RunState

SCHEMA = "fleet"

metadata = sa.MetaData(schema=SCHEMA)

_Instant = sa.DateTime(timezone=True)

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("optuna_study_id", sa.Integer, nullable=False, unique=True),
    sa.Column("definition", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="running"),  # running, paused, stopped
    sa.Column("created_at", _Instant, nullable=False, server_default=sa.func.now()),
    sa.Column("started_at", _Instant),
    sa.Column("finished_at", _Instant),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("stage", sa.Text, nullable=False, server_default="search"),  # search, confirmation
    # A long search has rows for its next runs only; its runs are those with rows, those to come and those dropped.
    sa.Column("to_come", sa.Integer, nullable=False, server_default="0"),
    sa.Column("dropped", sa.Integer, nullable=False, server_default="0"),  # cancelled before they had rows
    sa.Column("closing", sa.Text),  # why no further run of the search begins; those that wait are being cancelled
    # The verdict of a confirmation until it is decided: outcome, seeds, recommended run, first runs of those left.
    sa.Column("decision", JSONB),
    sa.Column("tags", sa.ARRAY(sa.Text), nullable=False, server_default="{}"),  # in alphabetical order
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Column("paused_at", _Instant),  # by the clock of service.storage.runs.clock; NULL while it is not paused
    sa.Column("external", sa.Boolean, nullable=False, server_default="false"),  # its runs are an own loop's
    # Whether its search is claimed leg by leg, one claim at a time: service.storage.runs.legs chooses.
    sa.Column("by_legs", sa.Boolean, nullable=False, server_default="false"),
    # Why it has paused itself, while it is paused for that, and whether it ever has: it does so once.
    sa.Column("pause_reason", sa.Text),
    sa.Column("has_paused", sa.Boolean, nullable=False, server_default="false"),
    sa.Index("studies_to_come", "id", postgresql_where=sa.text("to_come > 0")),
)

# Deleted studies, of which runs or Optuna trials are left: they are removed in batches.
deleted_studies = sa.Table(
    "deleted_studies",
    metadata,
    sa.Column("study_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("optuna_study_id", sa.Integer, nullable=False),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("started_at", _Instant, nullable=False, server_default=sa.func.now()),
    sa.Column("seen_at", _Instant, nullable=False, server_default=sa.func.now()),
    sa.Column("stopped_at", _Instant),
    sa.Column("drain", sa.Boolean, nullable=False, server_default="false"),  # whether it was asked over REST to leave
    # Bytes, said with its last sign of life; NULL: it has said none, as askers of own loops.
    sa.Column("memory_held", sa.BigInteger),
    sa.Column("memory_used", sa.BigInteger),
    sa.Column("memory_total", sa.BigInteger),
    # The study that it serves alone, as an asker of an own loop; NULL: a worker of the fleet. No foreign key, since a
    # deletion would change every run that names the asker.
    sa.Column("study_id", sa.BigInteger),
)

# Where runs came from, once for all that share it, under the digest of the content.
provenances = sa.Table(
    "provenances",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("content", JSONB, nullable=False),  # service.storage.provenance has the shape
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("study_id", sa.BigInteger, nullable=False),  # no foreign key: a deleted study's runs go in batches
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
    sa.Column("token", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("claim", UUID(as_uuid=False)),  # drawn at random for every holder: no restored dump repeats it
    sa.Column("writes", sa.Integer, nullable=False, server_default="0"),  # by its present holder
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("worker_id", UUID(as_uuid=False), sa.ForeignKey(workers.c.id, ondelete="SET NULL")),
    sa.Column("lease_until", _Instant),
    sa.Column("trial_id", sa.Integer, unique=True),
    sa.Column("trial_number", sa.Integer),
    sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
    sa.Column("best_epoch", sa.Integer),
    sa.Column("facts", JSONB, nullable=False, server_default="{}"),
    sa.Column("reason", sa.Text),
    sa.Column("started_at", _Instant),
    sa.Column("finished_at", _Instant),
    sa.Column("stage", sa.Text, nullable=False, server_default="search"),  # search, confirmation
    sa.Column("params", JSONB),  # as Optuna suggested them, without the fixed ones
    sa.Column("values", sa.ARRAY(sa.Double)),  # one per objective; a pruned run has its last report
    sa.Column("leased_at", _Instant),  # by its present holder
    sa.Column("spent_s", sa.Double, nullable=False, server_default="0"),  # total time leased to earlier holders
    sa.Column("first_seed", sa.Integer),  # of the study's seeds, for a confirmation's first repeat; NULL in the search
    sa.Column("seeds", sa.Integer),  # of a run of the confirmation, one after another
    sa.Column("given", JSONB),  # the parameters that somebody chose for it: see search_spaces.known
    sa.Column("provenance", sa.Text, sa.ForeignKey(provenances.c.hash)),  # of its last holder
    # Of a study that is claimed by legs: the epochs in its books. While a leg is open, those up to the leg's end; then
    # those that were trained.
    sa.Column("booked", sa.Integer, nullable=False, server_default="0"),
    sa.UniqueConstraint("study_id", "ordinal"),
    # The two questions of every claim, answered without looking at finished runs.
    sa.Index("runs_waiting", "study_id", "id", postgresql_where=sa.text("state = 'waiting'")),
    sa.Index("runs_leased", "study_id", "lease_until", postgresql_where=sa.text("state = 'running'")),
    sa.Index("runs_paused", "study_id", "id", postgresql_where=sa.text("state = 'paused'")),
    sa.Index(  # the best of a study, without looking at the others
        "runs_best",
        "study_id",
        "stage",
        sa.text("(values[1])"),
        "trial_number",
        "ordinal",
        postgresql_where=sa.text("state = 'complete'"),
    ),
    sa.Index(  # the last to end
        "runs_ended",
        "study_id",
        "finished_at",
        "id",
        postgresql_where=sa.text("stage = 'search' AND state IN ('complete', 'pruned', 'failed')"),
    ),
    sa.Index("runs_confirming", "study_id", "ordinal", postgresql_where=sa.text("stage = 'confirmation'")),
    sa.Index("runs_numbered", "study_id", "trial_number", postgresql_where=sa.text("trial_number IS NOT NULL")),
    sa.Index("runs_given", "study_id", "ordinal", postgresql_where=sa.text("given IS NOT NULL")),
    sa.Index("runs_worker", "worker_id"),  # finds what a worker holds unknowingly, and whether any run still names it
)

# How many runs of a study are in each state, and their device time: sums over its rows. Triggers append a row for every
# change, so that no two writers wait for each other, and `runs.counting` adds rows up from time to time.
run_counts = sa.Table(
    "run_counts",
    metadata,
    sa.Column("study_id", sa.BigInteger, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    *(sa.Column(state, sa.Integer, nullable=False) for state in RunState),
    sa.Column("spent_s", sa.Double, nullable=False),  # without the time of present leases
    sa.Column("booked", sa.BigInteger, nullable=False),  # epochs, see runs.booked
    sa.Index("run_counts_study", "study_id"),
)

# The legs of a search that is claimed by legs, in the order in which they were begun: from one rung of epochs to the
# next, or a whole training.
legs = sa.Table(
    "legs",
    metadata,
    sa.Column("run_id", sa.BigInteger, sa.ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("epochs", sa.Integer, primary_key=True),  # at its end, of the training
    sa.Column("study_id", sa.BigInteger, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),  # from 0
    sa.Column("place", sa.Integer, nullable=False),  # of the run in the search
    sa.Column("bracket", sa.Integer, nullable=False),
    sa.Column("cost", sa.Double),  # of the trial when it had reached the end; NULL before
    sa.Index("legs_number", "study_id", "number", unique=True),
    sa.Index("legs_rung", "study_id", "bracket", "epochs", "cost", "place"),
)

# A trigger writes a row for every change of a run's state or token; audits read them.
run_history = sa.Table(
    "run_history",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("run_id", sa.BigInteger, sa.ForeignKey(runs.c.id, ondelete="CASCADE"), nullable=False),
    sa.Column("at", _Instant, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("worker_id", UUID(as_uuid=False)),  # its holder, also after the run was handed back
    sa.Column("reason", sa.Text),
    sa.Index("run_history_run", "run_id", "id"),
)

curves = sa.Table(
    "curves",
    metadata,
    sa.Column("run_id", sa.BigInteger, sa.ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("repeat", sa.SmallInteger, primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("split", sa.Text, primary_key=True),
    sa.Column("metric", sa.Text, primary_key=True),
    sa.Column("value", sa.Double, nullable=False),
)

# What a confirmation's models say of sets of inputs: a row for each repeat and set.
examinations = sa.Table(
    "examinations",
    metadata,
    sa.Column("run_id", sa.BigInteger, sa.ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("repeat", sa.SmallInteger, primary_key=True),
    sa.Column("inputs", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # test, shift, semantic, far
    sa.Column("level", sa.SmallInteger, nullable=False),
    sa.Column("passes", sa.Integer, nullable=False),
    sa.Column("outputs", sa.Text, nullable=False),  # softmax, sigmoid
    sa.Column("figures", JSONB, nullable=False),  # numbers by name; null is nan
    sa.Column("scores", sa.LargeBinary, nullable=False),  # service.storage.scores has the layout
)

# The weights that a complete run has kept: a row for each repeat, with the digest of its file or why there is none.
weights = sa.Table(
    "weights",
    metadata,
    sa.Column("run_id", sa.BigInteger, sa.ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("repeat", sa.SmallInteger, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),  # the best by validation
    sa.Column("digest", sa.Text),  # SHA-256, hexadecimal
    sa.Column("size", sa.BigInteger, nullable=False),  # bytes
    sa.Column("reason", sa.Text),
    sa.CheckConstraint("(digest IS NULL) <> (reason IS NULL)", name="weights_or_reason"),
)

# The end of what a holder's trial has written, and why it failed: a row for every token that wrote something.
# UTF-8 whatever the encoding of the database is: a letter that it lacks must not be in the way of a run's end.
logs = sa.Table(
    "logs",
    metadata,
    sa.Column("run_id", sa.BigInteger, sa.ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("token", sa.BigInteger, primary_key=True),
    sa.Column("at", _Instant, nullable=False),
    sa.Column("stdout", sa.LargeBinary, nullable=False),
    sa.Column("stderr", sa.LargeBinary, nullable=False),
    sa.Column("written", sa.ARRAY(sa.BigInteger), nullable=False),  # bytes of both in all, of which the end is kept
    sa.Column("traceback", sa.LargeBinary),
)

# The looks at a confirmation's figures that decided who gets further seeds.
looks = sa.Table(
    "looks",
    metadata,
    sa.Column("study_id", sa.BigInteger, sa.ForeignKey(studies.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("seeds", sa.Integer, primary_key=True),  # of every configuration that was compared
    sa.Column("rule", sa.Text, nullable=False),  # fixed, sequential
    sa.Column("at", _Instant, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("runs", sa.Integer, nullable=False),  # of the study by then: later ones have this ordinal or a larger one
    sa.Column("kept", sa.ARRAY(sa.BigInteger), nullable=False),  # first runs of the configurations not dropped by then
)

# Which worker slots train on which GPU, so that the next ones choose another.
device_slots = sa.Table(
    "device_slots",
    metadata,
    sa.Column("device", sa.Text, primary_key=True),  # the GPU's UUID: containers on one host agree on it
    sa.Column("slot", sa.Integer, primary_key=True),  # from 0
    sa.Column("holder", UUID(as_uuid=False), nullable=False, unique=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("lease_until", _Instant, nullable=False),
)

# The trials of an earlier study that a study's sampler knows, as they were when the study was submitted.
histories = sa.Table(
    "histories",
    metadata,
    sa.Column("study_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("trials", JSONB, nullable=False),  # objects with params, values and step, the first trial first
)
