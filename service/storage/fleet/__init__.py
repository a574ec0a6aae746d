"""The workers, their GPUs, and the owners of checkpoints."""
