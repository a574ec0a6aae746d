"""What happens after the search: the best configurations are trained again and tested."""

from pydantic import Field

from search_spaces.part import Part


class Confirmation(Part):
    """Trains the best configurations of every variant again when the search has ended, and tests them.

    Its runs belong to the study, have a budget of their own, which the limits of the search do not cut, and share
    seeds that the search has not seen. Their models are measured on the test split, at the epoch that is best by
    validation; the winner is named from these figures.
    """

    top: int = Field(default=1, ge=1, le=100, description="Configurations of each variant.")
    repeats: int = Field(default=5, ge=2, le=100, description="Fresh seeds each of them is trained with.")
