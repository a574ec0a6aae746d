"""The ways to compute one layer: `base` defines a backend, `choice` lists them and chooses the one that runs."""
