"""The controller: studies in, answers out, under `/v1`."""
