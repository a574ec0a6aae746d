"""The workers, their devices, and the queue."""
