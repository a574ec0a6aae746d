"""The models whose weights a study has kept, built again: `load_winner`."""

from workers.winner.loading import Winner, load_winner
from workers.winner.reading import BadWinner

__all__ = ["BadWinner", "Winner", "load_winner"]
