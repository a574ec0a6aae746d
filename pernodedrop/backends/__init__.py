"""Five ways to compute one layer; `choice` says which of them runs, and none of them adds a bias.

Each module offers `linear(x, weight, stir, generator)`: x (B, T, I) and weight (J, I) give (B, T, J), with one
mask per sample b, shared by its T positions.
"""
