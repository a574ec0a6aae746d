"""A look at a study before it is submitted: its task is imported, and every variant trained for two steps, here."""
