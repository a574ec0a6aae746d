"""What the findings allow to be said, in sentences, and numbers, times and parameters as people read them."""
