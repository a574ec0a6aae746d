"""The audit's rules for what trials start from: chosen configurations, and the trials of an earlier study.

They are written as those in `service.storage.audit`, and share nothing with the code that they check.
"""

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "a run has the parameters that it was given": """
        SELECT s.name, r.id, format('%s, given %s, has %s', r.state, r.given, coalesce(r.params::text, 'none'))
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.given IS NOT NULL AND (r.stage <> 'search' OR r.params IS NOT NULL AND NOT r.params @> r.given
            OR r.params IS NULL AND r.state IN ('complete', 'pruned'))
        UNION ALL
        SELECT s.name, r.id, format('%s, has %s, which it was not given', r.state, r.params)
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.stage = 'search' AND jsonb_typeof(r.params->'outside') = 'object' AND r.params IS DISTINCT FROM r.given
    """,
    "a study starts with the configurations that it names": """
        SELECT s.name, r.id, format('starts with %s, run %s is given %s', k.known, k.place - 1, r.given)
        FROM fleet.studies s
        CROSS JOIN LATERAL jsonb_array_elements(s.definition->'start_with') WITH ORDINALITY k (known, place)
        LEFT JOIN fleet.runs r ON r.study_id = s.id AND r.ordinal = k.place - 1
        WHERE r.given IS DISTINCT FROM CASE WHEN (k.known->>'outside')::bool
            THEN jsonb_build_object('outside', k.known->'params') ELSE k.known->'params' END
    """,
    "a sampler knows an earlier study's trials where its study says so": """
        SELECT s.name, NULL, format('starts from %s, %s trials are kept, %s noted',
            coalesce(s.definition->>'start_from', 'none'), jsonb_array_length(h.trials), h.count)
        FROM fleet.studies s LEFT JOIN fleet.histories h ON h.study_id = s.id
        WHERE (s.definition->>'start_from' IS NULL) <> (h.study_id IS NULL) OR h.count <> jsonb_array_length(h.trials)
    """,
}
