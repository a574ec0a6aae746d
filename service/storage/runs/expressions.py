"""SQL expressions on runs and studies that several statements use."""

# Seconds for which the present holder of a row of fleet.runs has leased it; NULL without one. The time of a holder that
# died ends with its lease.
HELD_S = "extract(epoch FROM least(now(), lease_until) - leased_at)"

# Device time: the seconds for which the row has been leased, over all its holders.
SPENT_S = f"CASE WHEN leased_at IS NULL THEN spent_s ELSE spent_s + {HELD_S} END"

# The seconds of all present leases of the search of the study in the column that is filled in.
HELD_IN_SEARCH_S = f"""(SELECT coalesce(sum({HELD_S}), 0)::float FROM fleet.runs
    WHERE study_id = {{}} AND stage = 'search' AND state = 'running')"""

# The first objective of the definition in the column that is filled in: its metric, and the sign that makes its value
# a cost. A long definition takes time to read: for many runs of one study the sign should be a column of a subquery.
METRIC = "({}->'objectives'->0->>'metric')"
SIGN, SECOND_SIGN, THIRD_SIGN = (
    f"CASE {{}}->'objectives'->{place}->>'direction' WHEN 'maximize' THEN -1 ELSE 1 END" for place in range(3)
)

# The run is its holder's, and the database has everything that the holder wrote: `claim` is drawn at random for every
# holder, and `writes` counts what it has written since. A database that was set back to an earlier state has another
# claim or fewer writes. Takes :run, :token, :claim, :writes.
HELD = "{0}.id = :run AND {0}.token = :token AND {0}.claim = cast(:claim AS uuid) AND {0}.writes >= :writes"

# Whether the tables are complete. While a dump is restored its triggers come last: what is written before them would
# have no history.
WHOLE = "EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'fleet.runs'::regclass AND tgname = 'run_history')"

# The place of a search's run among those of the search: an extended study has runs of its confirmation in between.
PLACE = """ordinal - (SELECT count(*)::int FROM fleet.runs c
        WHERE c.study_id = runs.study_id AND c.stage = 'confirmation' AND c.ordinal < runs.ordinal)"""
