import pytest
import torch
from torch import nn

from pernodedrop import mc_passes
from search_spaces import TrialConfig
from workers.tasks import Task
from workers.training import Training
from workers.training.evaluation import evaluate, outputs_of


def test_a_task_is_judged_by_the_passes_and_by_one_without_masks(few_digits: Task) -> None:
    task = few_digits
    training = Training(task, TrialConfig("dropconnect", units=16), epochs=2, seed=0, device=torch.device("cpu"))
    *_, last = training.epochs()
    data = task.splits(torch.device("cpu"))
    passes = mc_passes(training.model, 5)
    assert passes is not None
    torch.manual_seed(2)
    figures = evaluate(task, training.model, data.val_x, data.val_y, passes)
    assert figures["loss_evaluated"] == pytest.approx(last.metrics["val_loss"])
    torch.manual_seed(2)
    with torch.inference_mode():
        _, *several = outputs_of(task, training.model, data.val_x, passes)
        mean = torch.stack([each.softmax(-1) for each in several]).mean(0)
        assert figures["loss"] == pytest.approx(nn.functional.nll_loss(mean.log(), data.val_y).item(), rel=1e-5)
    assert figures["loss"] != figures["loss_evaluated"]
