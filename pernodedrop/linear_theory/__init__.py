"""What masks do to a linear network y = U V^T x, exactly: penalties, norms, global minimizers, balance.

Matrices are U (b, d), V (a, d), X (a, N) with a sample in each column, and Y (b, N); losses are sums of squared
errors. Norms and minimizers are computed in double precision. docs/linear-networks.md tells the story.

Sources: Pal, Lane, Vidal and Haeffele, On the Regularization Properties of Structured Dropout, CVPR 2020,
arXiv:1910.14186 (Dropout and DropBlock over hidden units); Argyriou, Foygel and Srebro, Sparse Prediction with the
k-Support Norm, NIPS 2012. What is said of PerNodeDrop's masks follows in the same way and is derived here.
"""

from pernodedrop.linear_theory.connections import NotConverged, connection_matrix, minimize_by_connections
from pernodedrop.linear_theory.factors import balanced, block_norms, imbalance
from pernodedrop.linear_theory.minimizer import Optimum, least_singular_values, minimize_by_blocks
from pernodedrop.linear_theory.norms import dual_norm_squared, effective_rank, support_norm_squared
from pernodedrop.linear_theory.penalties import (
    block_penalty,
    connection_penalty,
    dropout_penalty,
    keep_rate_at,
    mask_penalty,
    strength,
)

__all__ = [
    "NotConverged",
    "Optimum",
    "balanced",
    "block_norms",
    "block_penalty",
    "connection_matrix",
    "connection_penalty",
    "dropout_penalty",
    "dual_norm_squared",
    "effective_rank",
    "imbalance",
    "keep_rate_at",
    "least_singular_values",
    "mask_penalty",
    "minimize_by_blocks",
    "minimize_by_connections",
    "strength",
    "support_norm_squared",
]
