"""Device time: how long a run has been leased, in seconds of a worker, over all its holders."""

# A column of fleet.runs as SQL. The share of a holder who died ends with its lease.
SPENT_S = """CASE WHEN leased_at IS NULL THEN spent_s
    ELSE spent_s + extract(epoch FROM least(now(), lease_until) - leased_at) END"""
