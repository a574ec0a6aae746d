"""Device time: how long a run has been leased, in seconds of a worker, over all its holders."""

# A column of fleet.runs as SQL. The share of a holder who died ends with its lease.
SPENT_S = "spent_s + coalesce(extract(epoch FROM least(now(), lease_until) - leased_at), 0)"
