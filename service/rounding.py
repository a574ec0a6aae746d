"""Numbers to a few decimal places, as pages, papers and terminals show them: what is not 0 is not shown as 0."""

NOISE = 1e-9  # of the last place that is shown: what is smaller is the rounding of floating-point sums
FEW = 2  # significant digits of what would be shown as 0


def fixed(value: float, places: int, sign: str = "") -> str:
    """The finite value to so many decimal places, or to FEW digits where these would all be 0.

    An interval from 0.0002 to 0.0004 excludes 0, and at three places it must not seem to include it. `sign` is "+"
    for a sign before positive values too.
    """
    if abs(value) < NOISE * 10.0**-places:
        return f"{0.0:{sign}.{places}f}"
    shown = f"{value:{sign}.{places}f}"
    return shown if float(shown) else f"{value:{sign}.{FEW}g}"


def is_in_tenths(value: float) -> bool:
    """Whether a value is written in full with one decimal place, since four significant digits leave less than that: it
    has five or six digits before the point."""
    return 1e4 <= round(abs(value), 1) < 1e6
