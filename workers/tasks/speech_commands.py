"""speech_commands: spoken words (Warden 2018), from mini_speech_commands or any folder of that layout."""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import TaskSpec, TrialConfig
from workers.tasks.archives import Archive
from workers.tasks.backbones import BACKBONES, Frames, backbone_option, build_backbone
from workers.tasks.base import Splits, Task
from workers.tasks.downloads import provide
from workers.tasks.options import check_options, whole_option
from workers.tasks.recordings import Recording, find_recordings, sides
from workers.tasks.spectrograms import BANDS, FRAMES, spectrograms
from workers.tasks.splitting import Indices, first_stratified

FOLDER = "mini_speech_commands"
WORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")  # of the published archive
ARCHIVE = Archive(
    address="https://storage.googleapis.com/download.tensorflow.org/data/mini_speech_commands.zip",
    sha256="49650f2341b26d886b46b3f4fb8fed59e30300b17550f1ee4a768b3106cf93a0",
    size=182_082_353,
    members=tuple(f"{word}/*.wav" for word in WORDS),
    largest_member=2**20,
)


class SpeechCommands(Task):
    """Log-mel spectrograms of one second, a class for every word that has a folder; fetched when absent.

    No speaker is in two splits (see `recordings.sides`). The sizes of classes are those of the folders.
    """

    def __init__(self, spec: TaskSpec, data_folder: Path) -> None:
        super().__init__(spec, data_folder)
        check_options(spec, ("backbone", "val_size", "split_seed"))
        self._backbone = backbone_option(spec, BACKBONES)
        self._val_size = whole_option(spec, "val_size", default=None, least=1)
        self._split_seed = whole_option(spec, "split_seed", default=0, least=0)

    def load(self, device: torch.device) -> Splits:
        """Spectrograms (N, 1, 128, 128) and words (N,); `train_size` and `val_size` keep words in proportion."""
        folder = self.data_folder / FOLDER
        recordings = self._recordings
        words = np.searchsorted(self._words, [recording.word for recording in recordings])
        found = sides(recordings, folder, self._split_seed)
        sounds = spectrograms(recordings, folder)

        def first(side: Indices, size: int | None, name: str) -> Indices:
            return side[first_stratified(words[side], size, self._split_seed, name)]

        train = first(found.train, self.spec.train_size, "task.train_size")
        val = first(found.val, self._val_size, "task.options.val_size")

        def x(chosen: Indices) -> Tensor:
            return torch.from_numpy(sounds[chosen]).unsqueeze(1).to(device)

        def y(chosen: Indices) -> Tensor:
            return torch.from_numpy(words[chosen]).to(device)

        return Splits(x(train), y(train), x(val), y(val), x(found.test), y(found.test))

    def build(self, config: TrialConfig) -> nn.Module:
        return build_backbone(self._backbone, (1, BANDS, FRAMES), len(self._words), config, tokens=Frames)

    @cached_property
    def _recordings(self) -> list[Recording]:
        provide(ARCHIVE, self.data_folder / FOLDER)
        return find_recordings(self.data_folder / FOLDER)

    @property
    def _words(self) -> list[str]:
        return sorted({recording.word for recording in self._recordings})
