"""`make gpu-check`: what a GPU does with the layers and the workers, in eight minutes, without a network."""
