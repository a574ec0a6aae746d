"""Inputs of several tensors: a small transformer reads brackets of many lengths, with an attention mask."""

import random

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from search_spaces import TrialConfig
from workers.tasks import Splits, Task

LONGEST = 16
NUMBERS = {"(": 1, ")": 2}  # 0 fills up


def brackets(rng: random.Random) -> tuple[str, bool]:
    """A text of brackets, and whether they are balanced."""
    pairs, depth, text = rng.randint(2, LONGEST // 2), 0, ""
    for left in range(2 * pairs, 0, -1):
        opens = depth == 0 or (depth < left and rng.random() < 0.5)
        depth, text = depth + (1 if opens else -1), text + ("(" if opens else ")")
    if rng.random() < 0.5:
        return text, True
    place = rng.randrange(len(text))  # one bracket the other way round
    return text[:place] + (")" if text[place] == "(" else "(") + text[place + 1 :], False


class Brackets(Task):
    """Balanced (1) or not (0)."""

    def load(self, device: torch.device) -> Splits:
        rng = random.Random(0)

        def split(count: int) -> tuple[dict[str, Tensor], Tensor]:
            texts, labels = zip(*(brackets(rng) for _ in range(count)), strict=True)
            rows = [[NUMBERS[letter] for letter in text] + [0] * (LONGEST - len(text)) for text in texts]
            ids = torch.tensor(rows, device=device)
            inputs = {"input_ids": ids, "attention_mask": (ids > 0).long()}
            return inputs, torch.tensor(labels, device=device).long()

        return Splits(*split(self.spec.train_size or 2000), *split(500), *split(500))  # type: ignore[arg-type]

    def build(self, config: TrialConfig) -> nn.Module:
        return Encoder(config.units)


class Encoder(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
        self.encoder = BertModel(
            BertConfig(vocab_size=3, max_position_embeddings=LONGEST, hidden_dropout_prob=0.0, **shape),
            add_pooling_layer=False,
        )
        self.slot = nn.Linear(32, units)  # the training puts the trial's regularizer here
        self.out = nn.Linear(units, 2)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        read = self.encoder(**inputs).last_hidden_state
        there = inputs["attention_mask"].unsqueeze(-1)
        return self.out(torch.relu(self.slot((read * there).sum(1) / there.sum(1))))
