"""A module of a user's that ends the process which imports it."""

import sys

sys.exit("no licence")
