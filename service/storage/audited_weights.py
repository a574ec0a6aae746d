"""The audit's rules for the weights that runs have kept.

They are written as those in `service.storage.audit`, and share nothing with the code that they check.
"""

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "a complete run of a confirmation names its weights, or why it has none, once for each seed": """
        SELECT s.name, r.id, format('keep %s, %s seeds, %s rows', coalesce(s.definition->>'keep', 'none'), r.seeds,
            (SELECT count(*) FROM fleet.weights w WHERE w.run_id = r.id AND w.repeat BETWEEN 0 AND r.seeds - 1))
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.stage = 'confirmation' AND r.state = 'complete' AND s.definition->>'keep' <> 'none'
            AND r.seeds <> (SELECT count(*) FROM fleet.weights w
                WHERE w.run_id = r.id AND w.repeat BETWEEN 0 AND r.seeds - 1)
    """,
    "only a complete run names weights, of an epoch that it has trained, and of a study that keeps them": """
        SELECT s.name, r.id, format('%s of a study that keeps %s, weights of epoch %s', r.state,
            coalesce(s.definition->>'keep', 'none'), w.epoch)
        FROM fleet.weights w JOIN fleet.runs r ON r.id = w.run_id JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.state <> 'complete'
            OR w.epoch NOT BETWEEN 1 AND (s.definition->'task'->>'epochs')::int
            OR CASE r.stage WHEN 'confirmation' THEN coalesce(s.definition->>'keep', 'none') = 'none'
                ELSE coalesce(s.definition->>'keep', 'none') NOT IN ('best', 'every') END
            OR w.repeat = 0 AND r.best_epoch IS DISTINCT FROM w.epoch
    """,
    "a digest is one, of a file with content": """
        SELECT s.name, r.id, format('%s bytes, digest %s', w.size, w.digest)
        FROM fleet.weights w JOIN fleet.runs r ON r.id = w.run_id JOIN fleet.studies s ON s.id = r.study_id
        WHERE w.digest IS NOT NULL AND (w.digest !~ '^[0-9a-f]{64}$' OR w.size <= 0)
    """,
}
