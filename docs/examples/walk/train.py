"""A training script as anybody has one: handwritten digits, a perceptron, ten epochs."""

import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
train, val, test = torch.randperm(len(x), generator=torch.Generator().manual_seed(0)).split([1000, 400, 397])


def make(units=64, drop_rate=0.5):
    return nn.Sequential(nn.Linear(64, units), nn.ReLU(), nn.Dropout(drop_rate), nn.Linear(units, 10))


def epoch(model, optimizer):
    model.train()
    for rows in train[torch.randperm(len(train))].split(64):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()


def loss(model, rows):
    with torch.no_grad():
        return nn.functional.cross_entropy(model.eval()(x[rows]), y[rows]).item()


if __name__ == "__main__":
    model = make()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(10):
        epoch(model, optimizer)
        print(loss(model, val))
