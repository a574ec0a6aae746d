"""Findings as figures: plotly's plain data, which the page's own program and `drawing` draw."""
