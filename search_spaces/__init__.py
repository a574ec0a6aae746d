"""The study definition, its dimensions and conditions, and the settings of a trial."""

from pernodedrop.installation import need

need("search_spaces", "service", "optuna", "cmaes", "scipy", "pydantic", "ruamel.yaml")

from search_spaces.budget import Budget
from search_spaces.confirmation import Confirmation
from search_spaces.definition import StudyDefinition
from search_spaces.dimensions import CategoricalDimension, Dimension, FloatDimension, IntDimension
from search_spaces.evaluation import Evaluation
from search_spaces.grids import Grid
from search_spaces.known import Known
from search_spaces.named_scales import SCALES, named_scale
from search_spaces.objective import Objective
from search_spaces.parameters import ACTIVATIONS
from search_spaces.parsing import parse_definition, parse_shape
from search_spaces.presets import UnknownPreset, load_preset, preset_names
from search_spaces.problems import InvalidDefinition, Problem
from search_spaces.resolution import fixed_params, given_by, recorded_params
from search_spaces.scale import InvalidScale, Scale, scaled
from search_spaces.schema import definition_schema
from search_spaces.shape import StudyShape
from search_spaces.task import BUILT_IN_TASKS, BuiltInTask, Precision, Samples, TaskSpec
from search_spaces.trial_config import TrialConfig, variant_of

__all__ = [
    "ACTIVATIONS",
    "BUILT_IN_TASKS",
    "SCALES",
    "Budget",
    "BuiltInTask",
    "CategoricalDimension",
    "Confirmation",
    "Dimension",
    "Evaluation",
    "FloatDimension",
    "Grid",
    "IntDimension",
    "InvalidDefinition",
    "InvalidScale",
    "Known",
    "Objective",
    "Precision",
    "Problem",
    "Samples",
    "Scale",
    "StudyDefinition",
    "StudyShape",
    "TaskSpec",
    "TrialConfig",
    "UnknownPreset",
    "definition_schema",
    "fixed_params",
    "given_by",
    "load_preset",
    "named_scale",
    "parse_definition",
    "parse_shape",
    "preset_names",
    "recorded_params",
    "scaled",
    "variant_of",
]
