import torch
from train import epoch, loss, make, test, val

from pernodedrop.client import Client

for trial in Client().study("mine").trials_to_train():
    torch.manual_seed(trial.seed)
    model = make(**trial.params)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in trial.epochs():
        epoch(model, optimizer)
        trial.report(val_loss=loss(model, val), **({"test_loss": loss(model, test)} if trial.is_tested else {}))
    torch.save(model, f"run-{trial.run}.pt")
