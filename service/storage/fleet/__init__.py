"""Who works, on which GPUs, and whose checkpoints are whose."""
