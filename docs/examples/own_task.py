"""A task of one's own: tumours told apart by 30 measured features, with scikit-learn's breast cancer data."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from search_spaces import TrialConfig
from workers.tasks import Division, Splits, Task


class Tumours(Task):
    """Malignant (1) or benign (0), by a perceptron whose depth a study may search."""

    def load(self, device: torch.device) -> Splits:
        return self.split(device, Division(seed=0))  # fixed: every worker must see the same splits

    def split(self, device: torch.device, division: Division) -> Splits:
        """For studies with `repeats_vary` or `folds`, which give each repeat a division of its own."""
        x, y = load_breast_cancer(return_X_y=True)
        y = 1.0 - y
        if division.fold is None:
            x, test_x, y, test_y = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
        else:
            rest, tested = division.fold.cut(y.astype(int))
            x, test_x, y, test_y = x[rest], x[tested], y[rest], y[tested]
        seed = (division.seed or 0) % 2**32  # numpy takes no larger one here
        train_x, val_x, train_y, val_y = train_test_split(x, y, test_size=0.25, stratify=y, random_state=seed)
        mean, deviation = train_x.mean(axis=0), train_x.std(axis=0)  # of the training split alone

        def tensors(x, y):
            x = torch.tensor((x - mean) / deviation, dtype=torch.float32, device=device)
            return x, torch.tensor(y, dtype=torch.float32, device=device)

        return Splits(*tensors(train_x, train_y), *tensors(val_x, val_y), *tensors(test_x, test_y))

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential()
        model.add_module("slot", nn.Linear(30, config.units))  # the training puts the trial's regularizer here
        model.append(nn.ReLU())
        for _ in range(config.extra["depth"]):  # a dimension of this task's own
            model.extend([nn.Linear(config.units, config.units), nn.ReLU()])
        return model.extend([nn.Linear(config.units, 1), nn.Flatten(0)])

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        weight = torch.tensor(self.spec.options.get("malignant_weight", 1.0), device=outputs.device)
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets, pos_weight=weight)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        found, malignant = outputs > 0, targets > 0.5
        return {
            "accuracy": (found == malignant).double().mean(),
            "sensitivity": found[malignant].double().mean(),  # the share of malignant tumours that are found
        }
