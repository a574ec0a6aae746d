"""A module that no capsule may have imported."""

raise SystemExit("imported")
