"""SQL expressions on runs and studies that several statements use."""

# Device time: the seconds for which a row of fleet.runs has been leased, over all its holders. The time of a holder
# that died ends with its lease.
SPENT_S = """CASE WHEN leased_at IS NULL THEN spent_s
    ELSE spent_s + extract(epoch FROM least(now(), lease_until) - leased_at) END"""

# The first objective of the definition in the column that is filled in: its metric, and the sign that makes its value
# a cost. A long definition takes time to read: for many runs of one study the sign should be a column of a subquery.
METRIC = "({}->'objectives'->0->>'metric')"
SIGN = "CASE {}->'objectives'->0->>'direction' WHEN 'maximize' THEN -1 ELSE 1 END"
