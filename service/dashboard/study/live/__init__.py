"""The study's page that lives: one watcher reads the database for all open pages, and each page gets what differs."""
