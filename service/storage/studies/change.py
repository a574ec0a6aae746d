"""What an order to confirm changes in a study's confirmation, and why it may be refused: a pure function of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from search_spaces import Confirmation, StudyShape
from search_spaces.confirmation import OF_DECIDED
from search_spaces.rules.confirmation import OF_VARIANTS, RULES
from service.storage.runs.configurations import Configuration


@dataclass(frozen=True)
class Change:
    """A confirmation as it is, as it is wanted, and the configurations that have runs."""

    definition: StudyShape  # with the wanted confirmation
    present: Confirmation | None
    wanted: Confirmation
    begun: Sequence[Configuration]

    @classmethod
    def of(cls, definition: StudyShape, asked: Confirmation, begun: Sequence[Configuration]) -> Self:
        """The change that sets the fields that `asked` sets."""
        present = definition.confirmation
        kept = {} if present is None else present.model_dump()
        if asked.until == "fixed" and "until" in asked.model_fields_set:
            kept = {field: value for field, value in kept.items() if field not in OF_DECIDED}
        wanted = Confirmation(**{**kept, **asked.model_dump(exclude_unset=True)})
        return cls(definition.model_copy(update={"confirmation": wanted}), present, wanted, begun)

    @property
    def refusal(self) -> str | None:
        """Why it cannot be made, in one line; None if it can."""
        for rule in (*RULES, *OF_VARIANTS):
            for problem in rule(self.definition):
                return problem.message
        return None if self.present is None or not self.begun else self._taken_away(self.present)

    def _taken_away(self, present: Confirmation) -> str | None:
        """What of a confirmation that has runs would be less than before."""
        wanted = self.wanted
        if wanted.top < present.top:
            return f"{present.top} of each variant are confirmed: top must be at least {present.top}, got {wanted.top}"
        if wanted.repeats < present.repeats:
            least = present.repeats
            return f"others were confirmed under {least} seeds: repeats must be at least {least}, got {wanted.repeats}"
        if present.is_decided and not wanted.is_decided:
            return "it goes on until it is decided, and its looks have been made: leave until out"
        trained = max(one.seeds for one in self.begun)
        if wanted.most < trained:
            return f"{trained} seeds are trained: most_repeats must be at least {trained}, got {wanted.most}"
        return None

    @property
    def idle(self) -> str | None:
        """Why nothing would change in a confirmation whose runs have not ended; None if something would."""
        if not self.begun or self.wanted != self.present:
            return None
        return f"its runs are under way, and nothing would be added to them: {_MORE}"

    @property
    def looked(self) -> int | None:
        """The seeds of the fixed look that counts from now on: its runs had ended, and its figures were seen.

        None if there was none.
        """
        has_ended = bool(self.begun) and not any(one.is_open for one in self.begun)
        if self.present is None or not has_ended or self.present.is_decided:
            return None
        has_more = self.wanted.is_decided or self.wanted.repeats > self.present.repeats
        return self.present.repeats if has_more else None

    def nothing(self, decision: Mapping[str, Any] | None) -> str:
        """Why nothing is added to a finished confirmation."""
        if decision is None:
            return f"none of its complete configurations is left to confirm: {_MORE}"
        told = f"{decision['outcome']} after {decision['seeds']} seeds"
        remedy = {
            "winner": "ask for a larger top",
            "practically equal": "ask for a smaller indifference, or a larger top",
        }.get(decision["outcome"], "ask for a larger most_repeats, or a larger top")
        return f"its verdict is {told}, and nothing is left to train: {remedy}"


_MORE = "ask for a larger top, for more repeats, or for until: decided"
