"""The login and who is logged in."""
