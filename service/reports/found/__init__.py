"""What a study found: its results, the ranking of its variants, comparisons, confirmations, and the paper's records."""
