"""What it costs to read or to refuse a text at the bounds of a definition: `python -m benchmarks.reading`.

Beside each time stands the one of 80,000 keys that the parser is given without bounds, as a ratio.
"""

import time
from collections.abc import Callable

from ruamel.yaml import YAML

from search_spaces.growing import MOST_VALUES
from search_spaces.yaml_text import LONGEST_YAML, MOST_WRITTEN, NotYaml, read_yaml

KEYS = "\n".join(f"k{number}: {number}" for number in range(80_000))
TEXTS = {
    "80,000 keys": KEYS,
    "as many keys as YAML may have": "\n".join(f"k{number}: {number}" for number in range(MOST_WRITTEN // 2 - 1)),
    "a key too many": "\n".join(f"k{number}: {number}" for number in range(MOST_WRITTEN // 2)),
    "lists in lists": f"a: [{'[],' * MOST_WRITTEN}]",
    "comments": "# x\n" * (LONGEST_YAML // 4 - 2) + "a: 1",
    "directives": "%A 1\n" * (LONGEST_YAML // 5 - 4) + "---\na: 1",
    "a long text": f"a: {'x ' * (LONGEST_YAML // 2 - 9)}",
    "as many values as JSON may have": f"[{'1,' * (MOST_VALUES - 2)}1]",
    "1 MiB of lists in JSON": f"[{'[],' * 349_000}[]]",
}


def main() -> None:
    unbounded = _seconds(lambda: list(YAML(typ="safe", pure=True).parse(KEYS)))
    print(f"{'the parser alone, 80,000 keys':34}{unbounded:7.2f} s")
    for name, text in TEXTS.items():
        said = "read"

        def read(text: str = text) -> None:
            nonlocal said
            try:
                read_yaml(text)
            except NotYaml as error:
                said = str(error)[:60]

        seconds = _seconds(read)
        print(f"{name:34}{seconds:7.2f} s {seconds / unbounded:6.3f}  {said}")


def _seconds(call: Callable[[], object]) -> float:
    """The processor's time, since the machine may be busy."""
    begun = time.process_time()
    call()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
