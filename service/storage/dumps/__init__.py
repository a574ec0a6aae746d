"""A database as one file, and back: by Postgres's own programs, while workers are at work."""
