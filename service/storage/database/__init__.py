"""The one Postgres: how it is opened, kept, waited for and upgraded, and our own tables in it."""
