"""The names of the compared variants and of their settings; importing them costs no torch."""

from typing import Literal, get_args

Regularizer = Literal["none", "dropout", "gaussian_dropout", "dropconnect", "masksembles", "pernodedrop"]
StirType = Literal["bernoulli", "gaussian", "partial_gaussian", "custom"]
MaskMode = Literal["dynamic", "fixed"]
Backend = Literal["auto", "mask", "kernel", "reparameterized", "flipout", "moment_matched"]

REGULARIZERS: tuple[Regularizer, ...] = get_args(Regularizer)
STIR_TYPES: tuple[StirType, ...] = get_args(StirType)
MASK_MODES: tuple[MaskMode, ...] = get_args(MaskMode)
BACKENDS: tuple[Backend, ...] = get_args(Backend)
