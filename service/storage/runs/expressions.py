"""What statements compute of a run or a study: SQL that has one meaning wherever it stands."""

# Device time: the seconds for which a row of fleet.runs has been leased, over all its holders. The share of a holder
# who died ends with its lease.
SPENT_S = """CASE WHEN leased_at IS NULL THEN spent_s
    ELSE spent_s + extract(epoch FROM least(now(), lease_until) - leased_at) END"""

# The first objective of a study's definition, whose name is to be filled in: its metric, and what makes a cost of its
# value. A long definition takes time to read: beside many runs of one study the sign is a column of a subquery.
METRIC = "({}->'objectives'->0->>'metric')"
SIGN = "CASE {}->'objectives'->0->>'direction' WHEN 'maximize' THEN -1 ELSE 1 END"
