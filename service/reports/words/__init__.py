"""The conclusion and the winner in plain sentences; numbers, times and parameters as text."""
