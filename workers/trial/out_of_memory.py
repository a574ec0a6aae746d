"""Recognizes errors that mean that the memory of the device or the machine ran out."""

# In the messages of libraries without an error class for it.
_WORDS = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether more memory would have helped."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if not isinstance(error, RuntimeError):
        return False
    try:
        text = str(error)
    except BaseException:  # an error of a task's own, which has no text
        return False
    return any(words in text for words in _WORDS)
