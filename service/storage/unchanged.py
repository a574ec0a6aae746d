"""What is said of an order that changes nothing. This file imports nothing of the program."""

UNCHANGED = "nothing was changed: it was so already"
CHANGED = "X-Changed"  # the header of the answer over REST, which says "no"
