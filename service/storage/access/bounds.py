"""What keys and links may be called, and how long they may last."""

from datetime import timedelta

MODULE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"  # of a task that a key allows
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"  # of a key
BY_SETTING, BY_DATABASE = "PERNODEDROP_API_KEY", "DATABASE_URL"  # who orders without a key, in the audit
RESERVED = (BY_SETTING, BY_DATABASE)  # so no key is called so
LONGEST_KEY = timedelta(days=3660)
LONGEST_GRACE = timedelta(days=30)  # of the key before a rotation
LONGEST_LINK = timedelta(days=366)
