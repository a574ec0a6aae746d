"""Whether two folders of exported tables say the same, but for the clock's readings and the database's numbers.

    pernodedrop report STUDY -f csv -o one          # and the same of a repetition, into another folder
    python -m benchmarks.same one another

Prints the first difference of every table. The exit code is 1 if there is any.
"""

import argparse
import csv
import sys
from itertools import zip_longest
from pathlib import Path

APART = ("seconds", "attempts", "run", "reason")  # in the name of a column


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", type=Path)
    parser.add_argument("another", type=Path)
    options = parser.parse_args()
    names = sorted({path.name for folder in (options.one, options.another) for path in folder.glob("*.csv")})
    if not names:
        sys.exit(
            f"error: {options.one} and {options.another} have no .csv: `pernodedrop report STUDY -f csv -o FOLDER`"
        )
    found = [difference for name in names if (difference := compared(name, options.one, options.another)) is not None]
    print("\n".join(found) or f"the same: {', '.join(names)}")
    sys.exit(bool(found))


def compared(name: str, one: Path, another: Path) -> str | None:
    """The first difference of this table, None if there is none."""
    for number, (left, right) in enumerate(zip_longest(rows(one / name), rows(another / name)), start=1):
        if left is None or right is None:
            return f"{name}: one has {number - 1} rows, the other more"
        for column in dict.fromkeys((*left, *right)):
            if left.get(column) != right.get(column):
                return f"{name}: row {number}, {column}: {left.get(column)} and {right.get(column)}"
    return None


def rows(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(newline="") as lines:
        return [
            {name: value for name, value in row.items() if not any(part in name for part in APART)}
            for row in csv.DictReader(lines)
        ]


if __name__ == "__main__":
    main()
