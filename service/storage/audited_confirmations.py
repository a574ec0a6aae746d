"""What the audit checks of confirmations: seeds, looks, verdicts and examinations. See `audit`.

Runs of one configuration have the very same parameters, because each further one is made from the first.
"""

# Columns of every rule: study, run, values.
CONFIRMATIONS = {
    "a run of a confirmation has seeds, and one of the search none": """
        SELECT s.name, r.id, format('%s, first seed %s, seeds %s', r.stage, r.first_seed, r.seeds)
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE CASE r.stage WHEN 'confirmation' THEN r.first_seed >= 0 AND r.seeds > 0
            ELSE r.first_seed IS NULL AND r.seeds IS NULL END IS NOT TRUE
    """,
    "a configuration is confirmed under each seed once, and none is left out": """
        SELECT s.name, r.id, format('begins with seed %s, expected %s', r.first_seed, r.expected)
        FROM (
            SELECT *, lag(first_seed + seeds) OVER (PARTITION BY study_id, params ORDER BY first_seed, ordinal)
                AS expected FROM fleet.runs WHERE stage = 'confirmation') r
        JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.first_seed <> coalesce(r.expected, (s.definition->>'repeats')::int)
    """,
    "no configuration that a look has dropped gets further seeds": """
        WITH confirming AS (
            SELECT *, first_value(id) OVER w AS first, first_value(ordinal) OVER w AS begun
            FROM fleet.runs WHERE stage = 'confirmation' WINDOW w AS (PARTITION BY study_id, params ORDER BY ordinal))
        SELECT s.name, r.id, format('begins with seed %s, the look at %s seeds left %s', r.first_seed, l.seeds, l.kept)
        FROM confirming r JOIN fleet.studies s ON s.id = r.study_id CROSS JOIN LATERAL (
            SELECT * FROM fleet.looks WHERE study_id = r.study_id AND runs <= r.ordinal ORDER BY seeds DESC LIMIT 1) l
        WHERE r.begun < l.runs AND r.first <> ALL (l.kept)
    """,
    # A decided confirmation ends with one configuration left, with all that are left practically equal, or at the most
    # seeds. Who is dropped follows from the figures alone, which service.statistics.decide reads.
    "a verdict stands on its last look": """
        WITH decided AS (
            SELECT *, (decision->>'seeds')::int AS at_seeds, decision->>'outcome' AS outcome,
                (definition->'confirmation'->>'most_repeats')::int AS most
            FROM fleet.studies WHERE definition->'confirmation'->>'until' = 'decided'
                AND finished_at IS NOT NULL AND state <> 'stopped')
        SELECT d.name, NULL, format('%s; the last look at %s seeds left %s', coalesce(d.decision::text, 'none'),
            l.seeds, l.kept)
        FROM decided d CROSS JOIN LATERAL (
            SELECT * FROM fleet.looks WHERE study_id = d.id ORDER BY seeds DESC LIMIT 1) l
        WHERE (d.at_seeds = l.seeds AND d.decision->'left' = to_jsonb(l.kept) AND CASE
            WHEN cardinality(l.kept) = 0 THEN d.decision->>'recommended' IS NULL
            ELSE (d.decision->>'recommended')::bigint = ANY (l.kept) END AND CASE d.outcome
            WHEN 'winner' THEN cardinality(l.kept) = 1
            WHEN 'practically equal' THEN cardinality(l.kept) > 1
            WHEN 'undecided' THEN cardinality(l.kept) = 0 OR l.seeds >= d.most END) IS NOT TRUE
        UNION ALL
        SELECT d.name, r.id, format('%s complete seeds, the verdict is after %s', r.seeds, d.at_seeds)
        FROM decided d CROSS JOIN LATERAL jsonb_array_elements(d.decision->'left') AS one (id)
        JOIN fleet.runs f ON f.id = one.id::bigint CROSS JOIN LATERAL (
            SELECT f.id, coalesce(sum(seeds), 0) AS seeds FROM fleet.runs
            WHERE study_id = d.id AND stage = 'confirmation' AND params = f.params AND state = 'complete') r
        WHERE r.seeds < d.at_seeds
    """,
    "a complete confirmation was examined as its study asks": """
        WITH runs AS (
            SELECT r.id, r.study_id, s.name, s.definition, repeat
            FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
            CROSS JOIN LATERAL generate_series(0, r.seeds - 1) AS repeat
            WHERE r.stage = 'confirmation' AND r.state = 'complete'
                AND jsonb_typeof(s.definition->'evaluation') = 'object')
        SELECT r.name, r.id, format('repeat %s was not examined on %s', r.repeat, w.inputs)
        FROM runs r CROSS JOIN LATERAL (
            SELECT 'the test' UNION ALL
            SELECT jsonb_array_elements_text(r.definition->'evaluation'->'out_of_distribution')) w (inputs)
        WHERE NOT EXISTS (SELECT FROM fleet.examinations e WHERE (e.run_id, e.repeat) = (r.id, r.repeat)
            AND CASE w.inputs WHEN 'the test' THEN e.kind = 'test'
                ELSE e.kind <> 'test' AND (e.inputs = w.inputs OR starts_with(e.inputs, w.inputs || '_')) END)
        UNION ALL
        SELECT name, id, format('repeat %s was examined on %s sets, another on %s', repeat, sets, most)
        FROM (
            SELECT r.name, r.id, r.repeat, count(*) AS sets, max(count(*)) OVER (PARTITION BY r.study_id) AS most
            FROM runs r JOIN fleet.examinations e ON (e.run_id, e.repeat) = (r.id, r.repeat)
            GROUP BY r.study_id, r.name, r.id, r.repeat) counted
        WHERE sets <> most
    """,
    "an examination is one of a confirmation whose study asks for it": """
        SELECT s.name, e.run_id, format('%s of repeat %s, in the %s', e.inputs, e.repeat, r.stage)
        FROM fleet.examinations e JOIN fleet.runs r ON r.id = e.run_id JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.stage <> 'confirmation' OR jsonb_typeof(s.definition->'evaluation') IS DISTINCT FROM 'object'
    """,
    "an examination is of the best epoch": """
        WITH objectives AS (
            SELECT id AS study_id, name, split_part(definition->'objectives'->0->>'metric', '_', 1) AS split,
                substr(definition->'objectives'->0->>'metric',
                    strpos(definition->'objectives'->0->>'metric', '_') + 1) AS metric,
                CASE definition->'objectives'->0->>'direction' WHEN 'maximize' THEN -1 ELSE 1 END AS sign
            FROM fleet.studies),
        best AS (
            SELECT DISTINCT ON (c.run_id, c.repeat) c.run_id, c.repeat, c.epoch
            FROM fleet.runs r JOIN objectives o USING (study_id)
            JOIN fleet.curves c ON c.run_id = r.id AND (c.split, c.metric) = (o.split, o.metric)
            WHERE r.stage = 'confirmation' AND c.value NOT IN ('NaN', 'Infinity', '-Infinity')
            ORDER BY c.run_id, c.repeat, o.sign * c.value, c.epoch)
        SELECT o.name, e.run_id, format('%s of repeat %s is of epoch %s, the best is %s',
            e.inputs, e.repeat, e.epoch, coalesce(b.epoch::text, 'unknown'))
        FROM fleet.examinations e JOIN fleet.runs r ON r.id = e.run_id JOIN objectives o USING (study_id)
        LEFT JOIN best b ON (b.run_id, b.repeat) = (e.run_id, e.repeat)
        WHERE e.epoch IS DISTINCT FROM b.epoch
    """,
}
