"""How a worker names its device in its row: by torch's name, and what a submission should know of it."""

_WITHOUT_BFLOAT16 = ", without bfloat16"


def named(device: str, *, has_bfloat16: bool) -> str:
    """The device's name; a processor that has no instructions for bfloat16 says so."""
    return device if has_bfloat16 or device != "cpu" else f"{device}{_WITHOUT_BFLOAT16}"


def has_bfloat16(name: str) -> bool:
    """Whether the device of this name has instructions for bfloat16, as far as it is known."""
    return not name.endswith(_WITHOUT_BFLOAT16)
