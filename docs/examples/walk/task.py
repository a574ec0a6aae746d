from train import make, test, train, val, x, y

from workers.tasks import Splits, Task


class Digits(Task):
    """The script's data and model, trained by the workers."""

    def load(self, device):
        parts = (part[rows].to(device) for rows in (train, val, test) for part in (x, y))
        return Splits(*parts)

    def build(self, config):
        model = make(config.units, 0.0)
        model.slot = model.pop(3)  # the workers put the trial's regularizer in front of it
        return model
