"""speech_commands: spoken words (Warden 2018), from mini_speech_commands or any folder of that layout."""

from collections.abc import Sequence
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
from workers.tasks.errors import DataUnavailable
from workers.tasks.held_out import HeldOut, held_out_names, held_out_option
from workers.tasks.options import check_options, whole_option
from workers.tasks.out_of_distribution import InputSet, Levels, semantic, sets_of
from workers.tasks.recordings import VALIDATION_LIST, Recording, Sides, find_recordings, sides
from workers.tasks.spectrograms import BANDS, FRAMES, Spectrograms, spectrograms
from workers.tasks.splitting import Division, Indices, Labels, first_stratified

FOLDER = "mini_speech_commands"
WORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")  # of the published archive
ARCHIVE = Archive(
    address="https://storage.googleapis.com/download.tensorflow.org/data/mini_speech_commands.zip",
    sha256="49650f2341b26d886b46b3f4fb8fed59e30300b17550f1ee4a768b3106cf93a0",
    size=182_082_353,
    members=tuple(f"{word}/*.wav" for word in WORDS),
    largest_member=2**20,
)
NOISE_DB = (20, 10, 5, 0)  # signal to noise, by level


class SpeechCommands(Task):
    """Log-mel spectrograms of one second, a class for every word that has a folder; fetched when absent.

    No speaker is in two splits (see `recordings.sides`). The sizes of classes are those of the folders. The option
    `held_out` names words that leave all splits, whose speakers are those of all words.
    """

    def __init__(self, spec: TaskSpec, data_folder: Path) -> None:
        super().__init__(spec, data_folder)
        check_options(spec, ("backbone", "val_size", "split_seed", "held_out"))
        self._backbone = backbone_option(spec, BACKBONES)
        self._val_size = whole_option(spec, "val_size", default=None, least=1)
        self._usual_seed = whole_option(spec, "split_seed", default=0, least=0)
        held_out_names(spec)  # refuses what names nothing, before the data are fetched

    def load(self, device: torch.device) -> Splits:
        """Spectrograms (N, 1, 128, 128) and words (N,); `train_size` and `val_size` keep words in proportion."""
        sounds = spectrograms(self._recordings, self._folder)
        labels = self._held_out.renumbered(self._labels)

        def first(side: Indices, size: int | None, name: str) -> Indices:
            return side[first_stratified(labels[side], size, self._split_seed, name)]

        train = first(self._sides.train, self.spec.train_size, "task.train_size")
        val = first(self._sides.val, self._val_size, "task.options.val_size")

        def x(chosen: Indices) -> Tensor:
            return _inputs(sounds[chosen], device)

        def y(chosen: Indices) -> Tensor:
            return torch.from_numpy(labels[chosen]).to(device)

        test = self._sides.test
        return Splits(x(train), y(train), x(val), y(val), x(test), y(test))

    def split(self, device: torch.device, division: Division) -> Splits:
        """As `load`, with other speakers who validate.

        Raises:
            DataUnavailable: a list says who validates.
        """
        if division.by_seed_alone is not None and (listed := self._folder / VALIDATION_LIST).exists():
            raise DataUnavailable(f"{listed} says who validates: remove it, or leave out repeats_vary")
        return self.load(device)

    def out_of_distribution(self, name: str, device: torch.device) -> Sequence[InputSet]:
        """held_out: the test clips of the held-out words; white_noise: those of the others with noise in the wave."""

        def held_out() -> Sequence[InputSet]:
            sounds = spectrograms(self._recordings, self._folder)
            strange = self._all_sides.test[self._held_out.has(self._labels[self._all_sides.test])]
            return semantic(_inputs(sounds[strange], device), ", ".join(held_out_names(self.spec)))

        def white_noise() -> Sequence[InputSet]:
            test = [self._recordings[index] for index in self._sides.test]

            def at(level: int) -> Tensor:
                return _inputs(np.array(spectrograms(test, self._folder, NOISE_DB[level - 1])), device)

            test_y = self.splits(device).test_y
            assert test_y is not None
            return Levels("white_noise", len(NOISE_DB), at, test_y)

        return sets_of(self.spec, name, {"held_out": held_out, "white_noise": white_noise})

    def build(self, config: TrialConfig) -> nn.Module:
        return build_backbone(self._backbone, (1, BANDS, FRAMES), self._held_out.left, config, tokens=Frames)

    @property
    def _split_seed(self) -> int:
        drawn = None if self.division is None else self.division.by_seed_alone
        return self._usual_seed if drawn is None else drawn

    @property
    def _folder(self) -> Path:
        return self.data_folder / FOLDER

    @cached_property
    def _recordings(self) -> list[Recording]:
        provide(ARCHIVE, self._folder)
        return find_recordings(self._folder)

    @cached_property
    def _words(self) -> list[str]:
        return sorted({recording.word for recording in self._recordings})

    @cached_property
    def _labels(self) -> Labels:
        """The word of every recording, by its place among all words."""
        return np.searchsorted(self._words, [recording.word for recording in self._recordings])

    @cached_property
    def _held_out(self) -> HeldOut:
        return held_out_option(self.spec, self._words)

    @cached_property
    def _all_sides(self) -> Sides:
        return sides(self._recordings, self._folder, self._split_seed)

    @cached_property
    def _sides(self) -> Sides:
        """The recordings of the words that are not held out."""
        found = self._all_sides
        left = Sides(*(side[~self._held_out.has(self._labels[side])] for side in (found.train, found.val, found.test)))
        if not all(map(len, (left.train, left.val, left.test))):
            names = ", ".join(held_out_names(self.spec))
            raise DataUnavailable(f"without {names} a side of {self._folder} has no recording: hold out other words")
        return left


def _inputs(sounds: Spectrograms, device: torch.device) -> Tensor:
    return torch.from_numpy(sounds).unsqueeze(1).to(device)
