"""A page of all runs of a study, a page of one run, and a comparison of studies."""
