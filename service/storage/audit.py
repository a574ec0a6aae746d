"""Audits the database by itself: budgets, paths, Optuna's record, curves and examinations must agree.

It shares no statement, key or formula with the code that it checks, so that no mistake there is repeated here.
Every rule is one statement that returns what breaks it, so that an audit of thousands of runs takes seconds.
All statements see one snapshot; workers may be running meanwhile.

The rules deliberately decide in SQL what is better and which epoch is best, though search_spaces.objective does so for
all other code: an audit that used the code that it checks would find none of its errors.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from search_spaces import StudyShape
from search_spaces.part import by_name
from search_spaces.pruners import PRUNERS
from service.storage import audited_legs, audited_starts, audited_weights
from service.storage.audited_confirmations import CONFIRMATIONS
from service.storage.database.database import STRUCK_S, Database
from service.storage.database.patience import patiently
from service.storage.database.plainly import plainly

MOST = 1000  # findings of a rule: a longer list would not help


@dataclass(frozen=True)
class Finding:
    """One violation of a rule."""

    study: str
    run: int | None  # the run's id; None if the finding concerns the whole study
    rule: str
    values: str

    def __str__(self) -> str:
        run = "" if self.run is None else f" run {self.run}"
        return f"{self.study}{run}: {self.rule}: {self.values}"


_COUNTED = """
    SELECT s.name, s.definition, s.to_come + s.dropped + count(r.id) FILTER (WHERE r.stage = 'search') AS runs
    FROM fleet.studies s LEFT JOIN fleet.runs r ON r.study_id = s.id GROUP BY s.id
"""

_PAIRING = ", ".join(f"'{name}'" for name, pruner in by_name(PRUNERS).items() if pruner.pairs_repeats)

# Columns of every rule: study, run, values.
_RULES = {
    "no gaps in the queue": """
        SELECT s.name, NULL, format('%s runs, the last is number %s', count(*), max(r.ordinal))
        FROM fleet.studies s JOIN fleet.runs r ON r.study_id = s.id GROUP BY s.id HAVING max(r.ordinal) + 1 <> count(*)
    """,
    "a finished study has no open runs": """
        SELECT s.name, r.id, r.state FROM fleet.studies s JOIN fleet.runs r ON r.study_id = s.id
        WHERE s.finished_at IS NOT NULL AND r.state IN ('waiting', 'running', 'paused')
        UNION ALL
        SELECT name, NULL, format('%s to come', to_come) FROM fleet.studies
        WHERE finished_at IS NOT NULL AND to_come <> 0
    """,
    "a study knows since when it is paused, and only then": """
        SELECT name, NULL, format('%s, paused at %s', state, coalesce(paused_at::text, 'no time')) FROM fleet.studies
        WHERE (state = 'paused') <> (paused_at IS NOT NULL)
    """,
    "a run belongs to a study, or to one that was deleted": """
        SELECT format('study number %s', study_id), id, state FROM fleet.runs r
        WHERE NOT EXISTS (SELECT FROM fleet.studies WHERE id = r.study_id)
            AND NOT EXISTS (SELECT FROM fleet.deleted_studies d WHERE d.study_id = r.study_id)
    """,
    # Device time is a sum of floats, added up in another order.
    "the counts are those of the runs": """
        WITH present AS (
            SELECT study_id, stage, state, count(*) AS runs, sum(spent_s) AS spent_s
            FROM fleet.runs GROUP BY study_id, stage, state),
        noted AS (
            SELECT c.study_id, c.stage, n.state, sum(n.runs) AS runs
            FROM fleet.run_counts c CROSS JOIN LATERAL (VALUES ('waiting', c.waiting), ('running', c.running),
                ('paused', c.paused),
                ('complete', c.complete), ('pruned', c.pruned), ('failed', c.failed), ('cancelled', c.cancelled)
            ) n (state, runs) GROUP BY c.study_id, c.stage, n.state)
        SELECT s.name, NULL, format('%s %s runs of the %s, the counts say %s',
            compared.present, compared.state, compared.stage, compared.noted)
        FROM (
            SELECT study_id, stage, state, coalesce(p.runs, 0) AS present, coalesce(n.runs, 0) AS noted
            FROM present p FULL JOIN noted n USING (study_id, stage, state)) compared
        JOIN fleet.studies s ON s.id = compared.study_id WHERE compared.present <> compared.noted
        UNION ALL
        SELECT s.name, NULL, format('%s s spent in the %s, the counts say %s', p.spent_s, p.stage, n.spent_s)
        FROM (SELECT study_id, stage, sum(spent_s) AS spent_s FROM present GROUP BY study_id, stage) p
        JOIN fleet.studies s ON s.id = p.study_id
        LEFT JOIN (SELECT study_id, stage, sum(spent_s) AS spent_s FROM fleet.run_counts GROUP BY study_id, stage) n
            ON (n.study_id, n.stage) = (p.study_id, p.stage)
        WHERE (abs(p.spent_s - n.spent_s) <= 1e-6 * greatest(1, p.spent_s)) IS NOT TRUE
    """,
    # It does so once, after three runs of one stage have failed in a row.
    "a study that has paused itself says why, and had a reason": """
        SELECT name, NULL, format('%s, has paused itself: %s, because %s', state, has_paused,
            coalesce(pause_reason, 'of nothing'))
        FROM fleet.studies s
        WHERE pause_reason IS NOT NULL AND NOT (has_paused AND state = 'paused')
            OR has_paused AND (SELECT count(*) FROM fleet.run_history h JOIN fleet.runs r ON r.id = h.run_id
                WHERE r.study_id = s.id AND h.state = 'failed') < 3
    """,
    # What came before the history was kept is one row, with a negative id. A pause once gave the attempt back, and the
    # promotion took it again.
    "a run goes a legal path": """
        SELECT s.name, h.run_id, format('%s, token %s, attempts %s -> %s, token %s, attempts %s',
            h.was, h.token_before, h.attempts_before, h.state, h.token, h.attempts)
        FROM (
            SELECT *, lag(state, 1, 'waiting') OVER w AS was, lag(token, 1, 0::bigint) OVER w AS token_before,
                lag(attempts, 1, 0) OVER w AS attempts_before, lag(worker_id) OVER w AS holder
            FROM fleet.run_history WINDOW w AS (PARTITION BY run_id ORDER BY id)) h
        JOIN fleet.runs r ON r.id = h.run_id JOIN fleet.studies s ON s.id = r.study_id
        WHERE h.id > 0 AND CASE h.state
            WHEN 'running' THEN h.was IN ('waiting', 'running', 'paused') AND h.token = h.token_before + 1
                AND CASE WHEN h.was = 'paused' THEN h.attempts - h.attempts_before IN (0, 1) AND h.attempts > 0
                    ELSE h.attempts = h.attempts_before
                        + CASE WHEN h.was = 'running' AND h.worker_id = h.holder THEN 0 ELSE 1 END END
            WHEN 'waiting' THEN h.token = h.token_before AND CASE h.was
                WHEN 'running' THEN h.attempts IN (h.attempts_before - 1, h.attempts_before)
                WHEN 'failed' THEN h.attempts = 0 ELSE false END
            WHEN 'paused' THEN h.was = 'running' AND h.token = h.token_before
                AND h.attempts - h.attempts_before IN (-1, 0)
            WHEN 'cancelled' THEN h.was IN ('waiting', 'running', 'paused')
                AND (h.token, h.attempts) = (h.token_before, h.attempts_before)
            ELSE (h.was = 'running' OR h.was = 'paused' AND h.state = 'pruned')
                AND (h.token, h.attempts) = (h.token_before, h.attempts_before)
        END IS NOT TRUE ORDER BY h.id
    """,
    # Runs that ended before the history was kept have none; their device time was not measured either.
    "a run stands where its history ends": """
        SELECT s.name, r.id, format('%s, token %s, attempts %s; history: %s, token %s, attempts %s',
            r.state, r.token, r.attempts, coalesce(h.state, 'none'), h.token, h.attempts)
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id LEFT JOIN (
            SELECT DISTINCT ON (run_id) * FROM fleet.run_history ORDER BY run_id, id DESC) h ON h.run_id = r.id
        WHERE CASE WHEN h.id IS NULL THEN r.leased_at IS NOT NULL OR r.spent_s > 0
            ELSE (h.state, h.token, h.attempts) <> (r.state, r.token, r.attempts) END
    """,
    "a run is begun no more often than its retries allow": """
        SELECT s.name, r.id, format('%s attempts, retries %s', r.attempts, s.definition->>'retries')
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.attempts > (s.definition->>'retries')::int + 1
    """,
    # Runs of a confirmation have no trial, nor have runs that were cancelled or failed before they asked for one. A run
    # that fitted into no memory has failed, and its trial was pruned with the reason: samplers learn from that.
    "an ended run is one Optuna trial in the same state": """
        SELECT s.name, r.id, format('%s, trial %s is %s', r.state, r.trial_number, coalesce(t.state::text, 'missing'))
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        LEFT JOIN trials t ON t.trial_id = r.trial_id AND t.study_id = s.optuna_study_id
        WHERE CASE
            WHEN r.stage = 'confirmation' THEN r.trial_id IS NOT NULL
            WHEN r.state IN ('waiting', 'running') THEN r.trial_id IS NOT NULL AND t.trial_id IS NULL
            WHEN r.state = 'paused' THEN t.state IS DISTINCT FROM 'RUNNING'
            WHEN r.trial_id IS NULL THEN r.state IN ('complete', 'pruned')
            ELSE coalesce(t.state::text, '') <> CASE r.state
                WHEN 'complete' THEN 'COMPLETE' WHEN 'pruned' THEN 'PRUNED' ELSE 'FAIL' END
                AND NOT (r.state = 'failed' AND t.state = 'PRUNED' AND EXISTS (
                    SELECT FROM trial_system_attributes WHERE trial_id = t.trial_id AND key = 'fail_reason'))
        END
    """,
    # A holder that lost its run while it asked may leave a second trial, which is ended as failed and counts nowhere. A
    # run that was tried again has left the trials that it had before; one that fitted into no memory was pruned.
    # One that went back to the queue before its holder knew its trial gives that to the next holder.
    "an Optuna trial belongs to a run": """
        SELECT s.name, a.value_json::bigint, format('trial %s is %s', t.number, t.state)
        FROM fleet.studies s JOIN trials t ON t.study_id = s.optuna_study_id
        LEFT JOIN trial_user_attributes a ON a.trial_id = t.trial_id AND a.key = 'run'
        LEFT JOIN fleet.runs mine ON mine.trial_id = t.trial_id
        LEFT JOIN fleet.runs r ON r.id = a.value_json::bigint
        WHERE mine.id IS NULL AND NOT (t.state = 'FAIL' AND r.id IS NOT NULL)
            AND NOT (t.state = 'RUNNING' AND r.state IN ('running', 'waiting') AND r.trial_id IS NULL)
            AND NOT (t.state IN ('FAIL', 'PRUNED') AND EXISTS (
                SELECT FROM trial_user_attributes e JOIN fleet.run_history f ON f.run_id = e.value_json::bigint
                JOIN fleet.run_history w ON w.run_id = f.run_id AND w.id > f.id
                WHERE e.trial_id = t.trial_id AND e.key = 'retried_run' AND f.state = 'failed' AND w.state = 'waiting'))
    """,
    # Splits that are measured at some epochs only, as the test split is, may have gaps.
    "curves have every epoch, and none beyond": """
        WITH lines AS (
            SELECT run_id, repeat, min(epoch) AS first, max(epoch) AS last, count(*) AS points
            FROM fleet.curves WHERE split IN ('train', 'val') GROUP BY run_id, repeat, split, metric),
        repeats AS (
            SELECT run_id, repeat, max(last) AS epochs, bool_and(first = 1 AND last = points) AS whole,
                min(points) AS fewest, max(repeat) OVER (PARTITION BY run_id) AS last_repeat,
                rank() OVER (PARTITION BY run_id ORDER BY repeat) AS place
            FROM lines GROUP BY run_id, repeat),
        wanted AS (
            SELECT r.id, r.state, r.epoch, s.name, (s.definition->'task'->>'epochs')::int AS epochs,
                CASE r.stage WHEN 'confirmation' THEN r.seeds ELSE (s.definition->>'repeats')::int END AS repeats
            FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id)
        SELECT w.name, w.id, format('%s, repeat %s has %s to %s points of %s epochs, the run says epoch %s',
            w.state, p.repeat, p.fewest, p.epochs, w.epochs, w.epoch)
        FROM wanted w JOIN repeats p ON p.run_id = w.id
        WHERE NOT p.whole OR p.fewest <> p.epochs OR p.place <> p.repeat + 1 OR p.epochs > w.epochs
            OR p.epochs < w.epochs AND (p.repeat < p.last_repeat OR w.state = 'complete')
            OR p.repeat = p.last_repeat AND w.epoch <> p.repeat * w.epochs + p.epochs
        UNION ALL
        SELECT w.name, w.id, format('%s with %s of %s repeats', w.state, count(p.repeat), w.repeats)
        FROM wanted w LEFT JOIN repeats p ON p.run_id = w.id WHERE w.state = 'complete'
        GROUP BY w.name, w.id, w.state, w.repeats HAVING count(p.repeat) <> w.repeats
    """,
    # Where the pruner compares whole repeats, a step is a repeat.
    "what Optuna was told of ends where the curve does": f"""
        SELECT s.name, r.id, format('%s, reports up to epoch %s, the curve ends at %s', r.state, t.step, c.epoch)
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        JOIN (SELECT trial_id, max(step) AS step FROM trial_intermediate_values GROUP BY trial_id) t USING (trial_id)
        LEFT JOIN (SELECT run_id, max(epoch) AS epoch FROM fleet.curves WHERE repeat = 0 GROUP BY run_id) c
            ON c.run_id = r.id
        WHERE r.state IN ('complete', 'pruned', 'paused') AND t.step IS DISTINCT FROM c.epoch
            AND s.definition->'pruner'->>'name' NOT IN ({_PAIRING})
    """,
    "a value is the mean over repeats of the best epoch's": """
        WITH objectives AS (
            SELECT s.id AS study_id, s.name, o.place - 1 AS objective, split_part(o.part->>'metric', '_', 1) AS split,
                substr(o.part->>'metric', strpos(o.part->>'metric', '_') + 1) AS metric,
                CASE o.part->>'direction' WHEN 'maximize' THEN -1 ELSE 1 END AS sign
            FROM fleet.studies s, jsonb_array_elements(s.definition->'objectives') WITH ORDINALITY AS o (part, place)),
        best AS (
            SELECT DISTINCT ON (r.id, c.repeat) r.id, r.study_id, r.trial_id, r.values, r.best_epoch, c.repeat, c.epoch
            FROM fleet.runs r JOIN objectives o ON o.study_id = r.study_id AND o.objective = 0
            JOIN fleet.curves c ON c.run_id = r.id AND (c.split, c.metric) = (o.split, o.metric)
            WHERE r.state = 'complete' AND r.stage = 'search' AND c.value NOT IN ('NaN', 'Infinity', '-Infinity')
            ORDER BY r.id, c.repeat, o.sign * c.value, c.epoch),
        means AS (
            SELECT b.id, b.trial_id, o.name, o.objective, avg(c.value) AS value, b.values,
                max(b.best_epoch) AS noted, max(b.epoch) FILTER (WHERE b.repeat = 0) AS best_epoch
            FROM best b JOIN objectives o ON o.study_id = b.study_id
            JOIN fleet.curves c ON (c.run_id, c.repeat, c.epoch, c.split, c.metric)
                = (b.id, b.repeat, b.epoch, o.split, o.metric)
            GROUP BY b.id, b.trial_id, b.values, o.name, o.objective)
        SELECT m.name, m.id, format('objective %s is %s at epoch %s, the run says %s at %s, Optuna %s',
            m.objective, m.value, m.best_epoch, m.values[m.objective + 1], m.noted, v.value)
        FROM means m LEFT JOIN trial_values v ON v.trial_id = m.trial_id AND v.objective = m.objective
        WHERE (abs(v.value - m.value) <= 1e-9 * greatest(1, abs(m.value))
            AND m.values[m.objective + 1] = v.value AND m.noted = m.best_epoch) IS NOT TRUE
    """,
    **CONFIRMATIONS,
}


def audit(db: Database) -> list[Finding]:
    """Return everything that breaks a rule, at most `MOST` findings a rule; none if all is well.

    Raises:
        DatabaseUnreachable, DatabaseRefuses: see `plainly`.
    """
    with plainly():
        return patiently(lambda: _audited(db), seconds=STRUCK_S)


def _audited(db: Database) -> list[Finding]:
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        return list(findings(connection))


def findings(connection: sa.Connection) -> Iterator[Finding]:
    """Yield what `audit` returns, within the connection's transaction."""
    yield from _off_budget(connection)
    for rule, statement in {**_RULES, **audited_legs.RULES, **audited_starts.RULES, **audited_weights.RULES}.items():
        for study, run, values in connection.execute(sa.text(statement)).fetchmany(MOST):
            yield Finding(study, run, rule, values)


def _off_budget(connection: sa.Connection) -> Iterator[Finding]:
    for name, definition, runs in connection.execute(sa.text(_COUNTED)):
        budget = StudyShape.model_validate(definition).trials
        if runs != budget:
            yield Finding(name, None, "a study has as many runs as its budget", f"{runs} runs, budget {budget}")
