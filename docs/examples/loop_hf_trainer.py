"""An own loop by Hugging Face's Trainer: a callback reports each evaluation, and ends a training that was pruned."""

import tempfile
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from pernodedrop.client import Client, Training


class Frequent(Dataset):
    """Sequences of the tokens 1 and 2, told apart by which is the more frequent one."""

    def __init__(self, size: int, seed: int) -> None:
        self.tokens = torch.randint(1, 3, (size, 15), generator=torch.Generator().manual_seed(seed))

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        tokens = self.tokens[index]
        return {"input_ids": tokens, "attention_mask": tokens > 0, "labels": ((tokens == 2).sum() > 7).long()}


class Report(TrainerCallback):
    def __init__(self, trial: Training) -> None:
        self.trial, self.found = trial, {}

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
        """Each set is evaluated by itself, as eval_val_loss; the last one completes the epoch's report."""
        wanted = ["val_loss", "test_loss"] if self.trial.is_tested else ["val_loss"]
        self.found |= {name: metrics[f"eval_{name}"] for name in wanted if f"eval_{name}" in metrics}
        if len(self.found) == len(wanted):
            control.should_training_stop = not self.trial.report(**self.found)
            self.found = {}


train, val, test = Frequent(512, 1), Frequent(256, 2), Frequent(256, 3)
for trial in Client().study("my-transformer").trials_to_train():
    set_seed(trial.seed)
    config = BertConfig(
        vocab_size=3, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=16, hidden_dropout_prob=trial.params["hidden_dropout_prob"],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, num_train_epochs=trial.last_epoch, learning_rate=trial.params["learning_rate"],
            per_device_train_batch_size=32, eval_strategy="epoch", save_strategy="no", report_to="none",
            logging_strategy="no", disable_tqdm=True, seed=trial.seed, use_cpu=True,
        )  # fmt: skip
        sets = {"val": val, "test": test} if trial.is_tested else {"val": val}
        Trainer(
            BertForSequenceClassification(config), arguments, train_dataset=train, eval_dataset=sets,
            callbacks=[Report(trial)],
        ).train()  # fmt: skip
