"""Data larger than memory: images in one file, of which each batch reads its own."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from search_spaces import TrialConfig
from workers.tasks import DataUnavailable, Splits, Streamed, Task


class Images(Dataset[Tensor]):
    """The images (N, ...) of a file that numpy has saved."""

    def __init__(self, path: str) -> None:
        self._images = np.load(path, mmap_mode="r")

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: int) -> Tensor:
        return torch.from_numpy(self._images[number] / 16).float()


class Digits(Task):
    """Reads images.npy and labels.npy in the data folder."""

    def load(self, device: torch.device) -> Splits:
        if not (self.data_folder / "images.npy").exists():
            raise DataUnavailable(f"{self.data_folder} has no images.npy: write it with numpy.save")
        dataset = Images(str(self.data_folder / "images.npy"))
        readers = int(self.spec.options.get("readers", 2))  # processes that read ahead
        x = Streamed(dataset, device, workers=readers, version="digits 1")
        y = torch.from_numpy(np.load(self.data_folder / "labels.npy")).to(device)  # targets are in memory
        return Splits(x[:1000], y[:1000], x[1000:1400], y[1000:1400], x[1400:], y[1400:])

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential()
        model.add_module("slot", nn.Linear(64, config.units))
        return model.extend([nn.ReLU(), nn.Linear(config.units, 10)])
