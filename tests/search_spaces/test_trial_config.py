import pickle
from typing import Any

import pytest

from search_spaces import TrialConfig, variant_of


def test_parameters_come_back_as_they_went_in() -> None:
    config = TrialConfig.from_params({"regularizer": "dropconnect", "drop_rate": 0.3, "depth": 4, "norm": "batch"})
    assert (config.regularizer, config.drop_rate, config.extra) == ("dropconnect", 0.3, {"depth": 4, "norm": "batch"})
    assert TrialConfig.from_params(config.as_params()) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config) == hash(TrialConfig.from_params(config.as_params()))


@pytest.mark.parametrize(
    ("params", "variant"),
    [
        ({}, "none"),
        ({"regularizer": "dropout", "stir_type": "gaussian"}, "dropout"),
        ({"regularizer": "pernodedrop"}, "pernodedrop-bernoulli-dynamic"),
        ({"regularizer": "pernodedrop", "stir_type": "gaussian"}, "pernodedrop-gaussian-dynamic"),
        (
            {"regularizer": "pernodedrop", "stir_type": "partial_gaussian", "mask_mode": "fixed"},
            "pernodedrop-partial_gaussian-fixed",
        ),
    ],
)
def test_a_variant_is_a_row_of_a_table(params: dict[str, Any], variant: str) -> None:
    assert variant_of(params) == TrialConfig.from_params(params).variant == variant


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"drop_rate": 1.0}, r"^drop_rate must be below 1, got 1\.0$"),
        ({"units": 0}, r"^units must be at least 1, got 0$"),
        ({"learning_rate": float("nan")}, r"^learning_rate must be above 0, got NaN$"),
        ({"batch_size": True}, r"^batch_size must be a whole number, got true$"),
        ({"regularizer": "earthquake"}, r"^regularizer must be .*, got \"earthquake\"$"),
    ],
)
def test_a_known_parameter_stays_in_its_domain(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrialConfig(**params)
    name, value = next(iter(params.items()))
    stored = getattr(TrialConfig.from_params(params), name)  # by a study that an earlier release accepted
    assert stored is value
