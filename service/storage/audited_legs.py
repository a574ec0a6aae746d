"""The audit's rules for searches that are claimed by legs: where trials pause, their costs, the epochs in the books.

They are written as those in `service.storage.audit`, and share nothing with the code that they check.
"""

from collections.abc import Mapping

# A run with its last leg.
_LAST = """
    fleet.runs r JOIN fleet.studies s ON s.id = r.study_id AND s.by_legs AND r.stage = 'search'
    LEFT JOIN LATERAL (SELECT * FROM fleet.legs WHERE run_id = r.id ORDER BY epochs DESC LIMIT 1) l ON true
"""

RULES: Mapping[str, str] = {
    "a search is claimed by legs if its trials pause or its epochs are budgeted": """
        SELECT name, NULL, format('by legs: %s, pruner %s, epochs %s', by_legs, definition->'pruner'->>'name',
            coalesce(definition->'budget'->>'epochs', 'without a limit'))
        FROM fleet.studies WHERE by_legs <> (definition->'pruner'->>'name' = 'asha'
            OR definition->'budget'->>'epochs' IS NOT NULL)
    """,
    "a paused run stands at the end of its leg, and nobody holds it": f"""
        SELECT s.name, r.id, format('epoch %s, leg up to %s, cost %s, held by %s until %s', r.epoch, l.epochs,
            coalesce(l.cost::text, 'unknown'), coalesce(r.worker_id::text, 'nobody'), r.lease_until)
        FROM {_LAST} WHERE r.state = 'paused' AND (r.epoch = l.epochs AND l.cost IS NOT NULL
            AND l.epochs < (s.definition->'task'->>'epochs')::int
            AND r.worker_id IS NULL AND r.leased_at IS NULL AND r.lease_until IS NULL) IS NOT TRUE
        UNION ALL
        SELECT s.name, r.id, format('paused in a study without legs')
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id WHERE r.state = 'paused' AND NOT s.by_legs
    """,
    "a leg begins where the one before has ended": """
        SELECT s.name, l.run_id, format('leg %s up to epoch %s follows leg %s up to %s of cost %s',
            l.number, l.epochs, l.number_before, l.epochs_before, coalesce(l.cost_before::text, 'unknown'))
        FROM (SELECT *, lag(number) OVER w AS number_before, lag(epochs) OVER w AS epochs_before,
                lag(cost) OVER w AS cost_before
            FROM fleet.legs WINDOW w AS (PARTITION BY run_id ORDER BY epochs)) l
        JOIN fleet.studies s ON s.id = l.study_id
        WHERE number_before IS NOT NULL AND (number_before < number AND cost_before IS NOT NULL) IS NOT TRUE
    """,
    # A run that is trained again, since its checkpoint was lost, has the costs of before and not all epochs yet.
    "a leg's cost is that of the best epoch by then": """
        WITH costs AS (
            SELECT l.study_id, l.run_id, l.epochs, l.cost, min(o.sign * c.value) AS best, max(c.epoch) AS reached
            FROM fleet.legs l JOIN (
                SELECT id, split_part(definition->'objectives'->0->>'metric', '_', 1) AS split,
                    substr(definition->'objectives'->0->>'metric',
                        strpos(definition->'objectives'->0->>'metric', '_') + 1) AS metric,
                    CASE definition->'objectives'->0->>'direction' WHEN 'maximize' THEN -1 ELSE 1 END AS sign
                FROM fleet.studies) o ON o.id = l.study_id
            JOIN fleet.curves c ON c.run_id = l.run_id AND c.repeat = 0 AND (c.split, c.metric) = (o.split, o.metric)
                AND c.epoch <= l.epochs
            WHERE l.cost IS NOT NULL GROUP BY l.study_id, l.run_id, l.epochs, l.cost)
        SELECT s.name, c.run_id, format('%s after epoch %s, its curve says %s', c.cost, c.epochs, c.best)
        FROM costs c JOIN fleet.studies s ON s.id = c.study_id WHERE c.reached = c.epochs AND c.cost <> c.best
    """,
    "a run's books say what was trained, and what its leg will need": f"""
        SELECT s.name, r.id, format('%s, booked %s epochs, has %s, leg up to %s',
            r.state, r.booked, r.epoch, coalesce(l.epochs::text, 'none'))
        FROM {_LAST} WHERE (CASE
            WHEN l.run_id IS NULL THEN r.booked = 0
            WHEN r.state IN ('waiting', 'running') THEN r.booked = l.epochs AND r.epoch <= l.epochs
            WHEN r.state = 'complete' THEN r.booked = l.epochs AND r.epoch = r.booked
            ELSE r.booked = greatest(r.epoch, (SELECT max(epochs) FROM fleet.legs WHERE run_id = r.id
                    AND cost IS NOT NULL)) AND r.epoch <= coalesce(l.epochs, 0) END) IS NOT TRUE
        UNION ALL
        SELECT s.name, r.id, format('booked %s epochs in a study without legs', r.booked)
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.booked <> 0 AND NOT (s.by_legs AND r.stage = 'search')
    """,
    "a search trains no more epochs than its budget": """
        SELECT s.name, NULL, format('%s epochs booked, %s trained, budget %s, the counts say %s', r.booked, r.epochs,
            s.definition->'budget'->>'epochs', n.booked)
        FROM fleet.studies s
        JOIN (SELECT study_id, sum(booked) AS booked, sum(epoch) FILTER (WHERE booked > 0) AS epochs FROM fleet.runs
            WHERE stage = 'search' GROUP BY study_id) r ON r.study_id = s.id
        JOIN (SELECT study_id, sum(booked) AS booked FROM fleet.run_counts
            WHERE stage = 'search' GROUP BY study_id) n ON n.study_id = s.id
        WHERE s.by_legs AND (r.booked <> n.booked
            OR greatest(r.booked, r.epochs) > (s.definition->'budget'->>'epochs')::bigint)
    """,
}
