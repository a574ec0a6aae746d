"""An own loop in plain PyTorch: python loop_pytorch.py, once or on many machines at once."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from pernodedrop.client import Client

x, y = load_digits(return_X_y=True)
x, test_x, y, test_y = train_test_split(x / 16, y, test_size=0.2, stratify=y, random_state=0)
train_x, val_x, train_y, val_y = train_test_split(x, y, test_size=0.25, stratify=y, random_state=0)
train_x, val_x, test_x = (torch.tensor(part, dtype=torch.float32) for part in (train_x, val_x, test_x))
train_y, val_y, test_y = (torch.tensor(part) for part in (train_y, val_y, test_y))


def loss_of(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return nn.functional.cross_entropy(model.eval()(x), y)


for trial in Client().study("my-digits").trials_to_train():  # waits for work, and ends with the study
    torch.manual_seed(trial.seed)
    units, batch = trial.params["units"], trial.params["batch_size"]
    model = nn.Sequential(nn.Linear(64, units), nn.ReLU(), nn.Dropout(trial.params["drop_rate"]), nn.Linear(units, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.params["learning_rate"], momentum=0.9)
    for _ in trial.epochs():  # ends early when the trial is pruned
        model.train()
        for chosen in torch.randperm(len(train_x)).split(batch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(train_x[chosen]), train_y[chosen]).backward()
            optimizer.step()
        tested = {"test_loss": loss_of(model, test_x, test_y)} if trial.is_tested else {}
        trial.report(val_loss=loss_of(model, val_x, val_y), train_loss=loss_of(model, train_x, train_y), **tested)
