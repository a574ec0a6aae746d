import torch
from train import test, x, y

from pernodedrop.client import Client

winner = Client().study("mine").winner
model = torch.load(f"run-{winner.run}.pt", weights_only=False).eval()
print(winner.params, "predicts", model(x[test[:8]]).argmax(1).tolist(), "where it is", y[test[:8]].tolist())
