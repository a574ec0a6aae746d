"""What the controller answers to orders that say more than how the study stands."""

from dataclasses import dataclass, field

from pernodedrop.client.answers import Overview


@dataclass(frozen=True)
class Retried(Overview):
    """A study, and how many of its failed runs wait again."""

    retried: int = field(kw_only=True)
