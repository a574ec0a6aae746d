"""The parts of a report: each a function from results to markup, or to None where it has nothing to say."""
