"""The ways to compute one layer: `base` says what one is, `choice` lists them and says which of them runs."""
