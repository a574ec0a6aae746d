"""Where a run came from: what computed it, on what, from which data, as the trial process says it.

A provenance has groups of facts by name, for example `{"packages": {"torch": "2.13.0"}, "data": {"digest": "..."}}`.
Equal ones are stored once, under the digest of their content.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from service.storage.states import storable

Provenance = Mapping[str, Mapping[str, str | int]]

PACKAGES, HARDWARE, RUN, CODE, DATA = "packages", "hardware", "run", "code", "data"
# The packages whose versions are noted: what computes a training, suggests its parameters or reads its data.
DISTRIBUTIONS = (
    *("torch", "numpy", "numba", "llvmlite", "triton", "scipy", "optuna", "cmaes", "scikit-learn", "librosa"),
    *("pydantic", "sqlalchemy", "psycopg2-binary", "alembic", "fsspec", "httpx", "rich", "ruamel.yaml"),
)
NOT_RECORDED = "not recorded"
MOST_GROUPS, MOST_FACTS = 10, 60  # in a provenance, in a group
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,59}")


class Difference(NamedTuple):
    """A fact that two provenances do not share; None where one of them lacks it."""

    group: str
    name: str
    first: str | int | None
    second: str | int | None

    def __str__(self) -> str:
        first, second = (NOT_RECORDED if one is None else _short(one) for one in (self.first, self.second))
        return f"{self.group} {self.name}: {first} and here {second}"


def checked(content: Any) -> Provenance:
    """The provenance in plain data of an uncertain origin, with texts that can be stored.

    Raises:
        ValueError: it has another shape, or more than MOST_GROUPS groups or MOST_FACTS facts in one.
    """
    if not isinstance(content, Mapping) or len(content) > MOST_GROUPS:
        raise ValueError(f"a provenance must have at most {MOST_GROUPS} groups of facts")
    for group, facts in content.items():
        if not isinstance(facts, Mapping) or len(facts) > MOST_FACTS:
            raise ValueError(f"a group of a provenance must have at most {MOST_FACTS} facts")
        for name, fact in [(group, ""), *facts.items()]:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError(f"a name in a provenance must have letters, digits and _ . -, got {str(name)[:60]!r}")
            if type(fact) not in (str, int) or (isinstance(fact, int) and abs(fact) >= 2**53):
                raise ValueError(f"{group} {name} of a provenance must be a text or a whole number below 2**53")
    return {
        group: {name: storable(fact) if isinstance(fact, str) else fact for name, fact in facts.items()}
        for group, facts in content.items()
    }


def digest_of(content: Provenance) -> str:
    """SHA-256 of the content as JSON with sorted names and without spaces, in hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def differences(first: Provenance, second: Provenance) -> list[Difference]:
    """The facts that differ, by group and name, each in the order of `first` and then of `second`."""
    found = []
    for group in dict.fromkeys([*first, *second]):
        one, other = first.get(group, {}), second.get(group, {})
        names = (name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name))
        found += [Difference(group, name, one.get(name), other.get(name)) for name in names]
    return found


class TaskCode(NamedTuple):
    """A source of a study's task that trained some of its runs."""

    digest: str  # SHA-256
    runs: int
    commit: str | None  # of the git repository that it lay in, with "dirty" where it was changed since


def task_codes(runs: Mapping[str, int], contents: Mapping[str, Provenance]) -> list[TaskCode]:
    """The sources that trained, that of the most runs first, from the number of runs of each provenance."""
    found: dict[str, TaskCode] = {}
    for origin, count in runs.items():
        facts = contents.get(origin, {}).get(CODE, {})
        if (digest := facts.get("task")) is not None:
            commit, before = facts.get("commit"), found.get(str(digest))
            total = count + (0 if before is None else before.runs)
            found[str(digest)] = TaskCode(str(digest), total, None if commit is None else str(commit))
    return sorted(found.values(), key=lambda code: (-code.runs, code.digest))


def varying(several: Sequence[Provenance]) -> dict[tuple[str, str], list[str | int | None]]:
    """The facts, by group and name, that are not the same in all, with their distinct values."""
    names = dict.fromkeys((group, name) for one in several for group, facts in one.items() for name in facts)
    values = {key: list(dict.fromkeys(one.get(key[0], {}).get(key[1]) for one in several)) for key in names}
    return {key: found for key, found in values.items() if len(found) > 1}


def _short(fact: str | int) -> str:
    text = str(fact)
    return text if len(text) <= 80 else f"{text[:77]}..."
