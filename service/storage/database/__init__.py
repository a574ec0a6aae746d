"""The Postgres database: its connections, upgrades and outages, and our own tables in it."""
