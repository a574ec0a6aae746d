"""Mixed precision: the same training with narrower layers; `test_backbones.py` has what holds in every precision."""

import logging

import pytest
import torch

from search_spaces import TrialConfig
from tests.tasks.trainings import curves, few_digits_of, training
from workers import processor
from workers.tasks.backbones import BACKBONES
from workers.training import precision

backbones = pytest.mark.parametrize("backbone", BACKBONES)


@backbones
def test_follows_single_precision_closely_but_is_not_it(backbone: str) -> None:
    plain = TrialConfig(regularizer="none", batch_size=32)
    single, mixed = (curves(training(few_digits_of(backbone, name), plain))[-1] for name in ("float32", "bfloat16"))
    assert mixed["val_loss"] != single["val_loss"]
    assert mixed["val_loss"] == pytest.approx(single["val_loss"], rel=0.03)


@backbones
def test_what_is_learned_stays_in_single_precision(backbone: str) -> None:
    trained = training(few_digits_of(backbone, "bfloat16"), TrialConfig(regularizer="pernodedrop", batch_size=32))
    next(trained.epochs())
    for parameter in trained.model.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is not None
        assert parameter.grad.dtype == torch.float32


@pytest.mark.parametrize(
    ("cpuinfo", "has"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_bf16 amx_tile\n", True),
        ("flags\t\t: fpu avx2 amx_bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f avx512vl\n", False),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("Features\t: fp asimd asimddp\n", False),
        ("processor\t: 0\nmodel name\t: bf16 of a kind\n", True),  # no flags are named: nobody knows
        ("flags\t: avx512_bf16\nflags\t: avx2\n", False),  # a trial may run on either core
    ],
)
def test_a_processor_with_instructions_for_bfloat16_is_known_by_its_flags(cpuinfo: str, has: bool) -> None:
    assert processor.named_in(cpuinfo.splitlines()) is has


def test_a_result_says_that_bfloat16_was_emulated_and_a_process_warns_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = TrialConfig(regularizer="none", batch_size=32)
    monkeypatch.setattr(processor, "has_bfloat16", lambda: False)
    precision._warn_of_emulation.cache_clear()
    with caplog.at_level(logging.WARNING):
        facts = [training(few_digits_of("paper", "bfloat16"), plain).facts for _ in range(2)]
    assert [one["bfloat16"] for one in facts] == ["emulated", "emulated"]
    (said,) = [record.getMessage() for record in caplog.records if record.name == "workers.training.precision"]
    assert said.startswith("precision bfloat16: this processor has no instructions for it")
    assert "bfloat16" not in training(few_digits_of("paper", "float32"), plain).facts
    monkeypatch.setattr(processor, "has_bfloat16", lambda: True)
    assert "bfloat16" not in training(few_digits_of("paper", "bfloat16"), plain).facts
