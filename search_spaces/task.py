"""The task of a study: a data set with its backbone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from pernodedrop.registry import Registry
from search_spaces.evaluation import HELD_OUT
from search_spaces.parameters import AnyValue, Domain, OneOf, WholeWithin, Within
from search_spaces.part import Part
from search_spaces.scalars import LONGEST_TEXT, ParameterName, Scalar

# What the models of a task have beside slots, by the backbone that task.options names: see pernodedrop.places.
Backbones = Mapping[str, tuple[str, ...]]
DEFAULT_BACKBONE = "paper"
EXTERNAL = "external"  # the name of the task of an own loop: foreign code asks for its runs over REST
MOST_WHOLE = 2**32 - 1  # of an option of a task
_SHARED: Backbones = {"paper": ("map",), "resnet": ("map", "branch"), "transformer": ("branch",)}
_IMAGES: Backbones = {**_SHARED, "mlp": ()}
_SEQUENCES: Backbones = {**_SHARED, "lstm": ("recurrence",), "gru": ("recurrence",), "mlp": ()}
BACKBONES: Mapping[str, Backbones] = {
    "digits": _SEQUENCES,
    "cifar10": _IMAGES,
    "speech_commands": _SEQUENCES,
    "rcv1": {"paper": ()},
    "linear_factorization": {},  # one network, with slots alone
}


@dataclass(frozen=True)
class Samples:
    """How many samples of a task to take; None takes all."""

    train: int | None = None
    val: int | None = None


@dataclass(frozen=True)
class BuiltInTask:
    """What a study knows of a task with a name: `path` is its class, "package.module:Class", which workers import.

    `small` and `medium` are its samples at the scales of these names, `library` is the package of the extra `worker`
    that reads its data, `out_of_distribution` names the inputs that it has for what a model does not know.
    `splits_anew`: its class can draw the validation split by any seed. `has_folds`: its test split is our own choice
    among samples of one kind, so that any fold may be it.

    What is None is judged by its class, in every trial.
    """

    path: str
    small: Samples
    medium: Samples
    library: str | None = None
    out_of_distribution: tuple[str, ...] = ()
    has_probabilities: bool = True  # of one class or of each label, by the logits that its models return
    splits_anew: bool = False
    has_folds: bool = False
    classes: tuple[str, ...] = ()  # that task.options.held_out may name; none where only the data say so
    learned: int | None = None  # so many of the classes are learned; None: all of them
    options: Mapping[str, Domain] | None = None  # that task.options may set
    metrics: tuple[str, ...] | None = None  # of every split, beside the loss
    augmentations: tuple[str, ...] | None = None
    smooths_labels: bool | None = None  # whether it has a loss with label_smoothing
    pool: tuple[int, ...] | None = None  # samples that train and validate, of each class or of all; None: the data say
    tested: tuple[int, ...] = ()  # samples of the test split, of each class, where it is cut in folds


_SIZE, _SEED, _SIDE = WholeWithin(1, MOST_WHOLE), WholeWithin(0, MOST_WHOLE), WholeWithin(1, 4096)
_DIVIDED: Mapping[str, Domain] = {"val_size": _SIZE, "split_seed": _SEED, HELD_OUT: AnyValue()}


def _with_backbones(task: str) -> Mapping[str, Domain]:
    return {"backbone": OneOf(tuple(BACKBONES[task])), **_DIVIDED}


_SINGLE_LABEL = ("accuracy", "ece", "brier")
_OF_FACTORS = ("effective_rank", "rank", "nuclear_norm", "penalty", "imbalance")
_FLIPPED = ("flip_crop",)

_IMAGES_OF_ANY_KIND = ("held_out", "gaussian_noise", "contrast")
_PHOTOGRAPHS = (*_IMAGES_OF_ANY_KIND, "shot_noise", "impulse_noise", "gaussian_blur", "pixelate", "far")
_RECORDINGS = ("held_out", "white_noise")
_DOCUMENTS = ("held_out", "words_dropped")

# A new built-in task is a class in a file of its own and a line here. Importing the list imports no task.
_BUILT_IN = {
    "digits": BuiltInTask(
        "workers.tasks.digits:Digits",
        Samples(400),
        Samples(1_000),
        "sklearn",
        _IMAGES_OF_ANY_KIND,
        splits_anew=True,
        has_folds=True,
        classes=tuple(map(str, range(10))),
        options=_with_backbones("digits"),
        metrics=_SINGLE_LABEL,
        augmentations=_FLIPPED,
        smooths_labels=True,
        pool=(142, 146, 142, 146, 145, 145, 145, 143, 139, 144),
        tested=(36, 36, 35, 37, 36, 37, 36, 36, 35, 36),
    ),
    "cifar10": BuiltInTask(
        "workers.tasks.cifar10:Cifar10",
        Samples(2_000, 1_000),
        Samples(10_000, 5_000),
        out_of_distribution=_PHOTOGRAPHS,
        splits_anew=True,
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        options=_with_backbones("cifar10"),
        metrics=_SINGLE_LABEL,
        augmentations=_FLIPPED,
        smooths_labels=True,
        pool=(5_000,) * 10,
    ),
    "speech_commands": BuiltInTask(
        "workers.tasks.speech_commands:SpeechCommands",
        Samples(500, 300),
        Samples(2_000),
        "librosa",
        _RECORDINGS,
        splits_anew=True,
        options=_with_backbones("speech_commands"),
        metrics=_SINGLE_LABEL,
        augmentations=(),
        smooths_labels=True,
    ),
    "linear_factorization": BuiltInTask(
        "workers.tasks.linear_factorization:LinearFactorization",
        Samples(),
        Samples(),
        has_probabilities=False,
        splits_anew=True,
        options={
            "rows": _SIDE,
            "columns": _SIDE,
            "rank": _SIDE,
            "noise": Within(least=0, most=1000),
            "correlation": Within(least=0, most=0.99),
            "slots": OneOf(("second", "first", "both")),
            "val_size": _SIZE,
            "data_seed": _SEED,
        },
        metrics=("r2", *_OF_FACTORS),
        augmentations=(),
        smooths_labels=False,
    ),
    "rcv1": BuiltInTask(
        "workers.tasks.rcv1:Rcv1",
        Samples(2_000, 1_000),
        Samples(8_000),
        "sklearn",
        _DOCUMENTS,
        splits_anew=True,
        classes=tuple(map(str, range(103))),
        learned=25,
        options=_with_backbones("rcv1"),
        metrics=("accuracy", "micro_f1", "ece", "brier"),
        augmentations=(),
        smooths_labels=True,
        pool=(23_149,),
    ),
}
BUILT_IN_TASKS: Registry[BuiltInTask] = Registry("task.name", "pernodedrop.tasks", _BUILT_IN)


# Those whose slots meet the positions of a sequence, (B, T, I).
_OF_SEQUENCES = ("transformer", "lstm", "gru")


def backbones_of_sequences(task: str) -> list[str]:
    """The backbones of the task of this name whose slots meet positions; none where they are not known here."""
    return [backbone for backbone in BACKBONES.get(task, {}) if backbone in _OF_SEQUENCES]


def backbones_with(task: str, place: str) -> list[str]:
    """The backbones of the task of this name that have such a place; none where they are not known here."""
    return [backbone for backbone, places in BACKBONES.get(task, {}).items() if place in places]


Precision = Literal["float32", "bfloat16"]
TASK_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*((\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*)?$"


def _describe_names(schema: dict[str, Any]) -> None:
    names = ", ".join(BUILT_IN_TASKS)
    schema["description"] = f"{names}, an own task: package.module:Class, or {EXTERNAL}: an own loop asks for trials"


class TaskSpec(Part):
    """Which data and model, and how long to train them."""

    name: Annotated[str, StringConstraints(pattern=TASK_PATTERN, max_length=LONGEST_TEXT)] = Field(
        json_schema_extra=_describe_names,
    )
    epochs: int = Field(default=20, ge=1, le=10_000, description="Each training has this many epochs.")
    train_size: int | None = Field(
        default=None, ge=1, le=10**9, description="Train on a seeded subset of so many samples."
    )
    precision: Precision = Field(
        default="float32",
        description="bfloat16: layers in mixed precision (torch's autocast), faster where the processor has it.",
    )
    options: dict[ParameterName, Scalar] = Field(
        default={}, max_length=64, description="Settings that the task itself defines."
    )

    @property
    def is_built_in(self) -> bool:
        """Whether it is a task of this program, or of a package that extends it."""
        return ":" not in self.name and not self.is_external

    @property
    def is_external(self) -> bool:
        """Whether an own loop trains its runs, and no worker."""
        return self.name == EXTERNAL
