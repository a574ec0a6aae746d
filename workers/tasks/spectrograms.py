"""Log-mel spectrograms of recordings, computed once and kept beside them."""

import hashlib
import json
import wave
import zlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.tasks.errors import DataUnavailable
from workers.tasks.locks import alone
from workers.tasks.progress import bar_of_items
from workers.tasks.recordings import Recording

RATE = 16_000  # samples a second, and samples of a clip: longer ones are cut, shorter ones end in silence
BANDS = FRAMES = 128
WINDOW, HOP = 1024, 125  # samples; a second has 129 frames at this distance, the last is dropped
RANGE_DB = 80.0  # a point further below a clip's loudest counts as silence
AT_ONCE = 64  # clips
NOISE_SEED = 1804

Spectrograms = NDArray[np.float32]  # (N, 128 bands, 128 frames)


def spectrograms(recordings: Sequence[Recording], folder: Path, noise_db: float | None = None) -> Spectrograms:
    """The spectrogram of every recording in `folder`, in their order, mapped from a file: rows are read at their use.

    With `noise_db` each has white noise at that signal-to-noise ratio (see `with_noise`). The recordings' names and
    sizes, the parameters and librosa's version determine the file's name. One process writes a missing file while
    others wait, and it appears when it is complete.

    Raises:
        DataUnavailable: a recording is not a clip of 16 kHz, mono, 16 bit, or the file cannot be written.
    """
    kept = folder.with_name(f"{folder.name}-spectrograms")
    file = kept / f"{content_key(recordings, noise_db)}.npy"
    try:
        if not file.exists():
            kept.mkdir(exist_ok=True)
            with alone(kept / ".lock"):
                if not file.exists():
                    _write(recordings, folder, file, noise_db)
        found: Spectrograms = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise DataUnavailable(
            f"{file} cannot be kept ({reason}): let the worker write to {kept}, or remove the file if it is damaged"
        ) from error
    if found.shape != (len(recordings), BANDS, FRAMES) or found.dtype != np.float32:
        raise DataUnavailable(f"{file} is damaged: remove it to have it computed anew")
    return found


def content_key(recordings: Sequence[Recording], noise_db: float | None = None) -> str:
    """32 hexadecimal digits that change with the recordings, their noise and the parameters of spectrograms."""
    made: dict[str, object] = {
        "rate": RATE,
        "range_db": RANGE_DB,
        "bands": BANDS,
        "window": WINDOW,
        "hop": HOP,
        "librosa": version("librosa"),
    }
    if noise_db is not None:
        made |= {"noise_db": noise_db, "noise_seed": NOISE_SEED}
    files = [(recording.name, recording.size) for recording in recordings]
    return hashlib.sha256(json.dumps([made, files], sort_keys=True).encode()).hexdigest()[:32]


def read_wave(file: Path) -> NDArray[np.float32]:
    """One second of sound (16000,) in [-1, 1).

    Raises:
        DataUnavailable: the file cannot be read or is not a wave file of 16 kHz, mono, 16 bit.
    """
    try:
        with wave.open(str(file)) as sound:
            if (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) != (RATE, 1, 2):
                raise wave.Error(f"{sound.getframerate()} Hz, {sound.getnchannels()} channels")
            samples = np.frombuffer(sound.readframes(RATE), dtype="<i2")
    except (OSError, wave.Error, EOFError, ValueError) as error:
        reason = " ".join(str(error).split()) or "it ends too soon"
        raise DataUnavailable(
            f"{file} is no wave file of {RATE} Hz, mono, 16 bit ({reason}): replace or remove it"
        ) from error
    return np.pad(samples, (0, RATE - len(samples))).astype(np.float32) / np.float32(2**15)


def with_noise(sound: NDArray[np.float32], noise_db: float, name: str) -> NDArray[np.float32]:
    """The sound (16000,) and white Gaussian noise, whose power is so many decibels below that of the whole second.

    The noise of a clip follows from its name, and is the same at every ratio but for its strength.
    """
    rng = np.random.default_rng([NOISE_SEED, zlib.crc32(name.encode())])
    deviation = np.sqrt(np.square(sound, dtype=np.float64).mean() / 10 ** (noise_db / 10))
    noisy: NDArray[np.float32] = (sound + deviation * rng.standard_normal(len(sound))).astype(np.float32)
    return noisy


def log_mel(waves: NDArray[np.float32]) -> Spectrograms:
    """Spectrograms (N, 128, 128) of sounds (N, 16000), each with zero mean and unit variance; silence is all zero."""
    import librosa  # here, because the import takes seconds and most processes find the file

    power = librosa.feature.melspectrogram(y=waves, sr=RATE, n_fft=WINDOW, hop_length=HOP, n_mels=BANDS)[..., :FRAMES]
    decibels = librosa.power_to_db(power, ref=1.0, top_db=None)
    loudest = decibels.max(axis=(1, 2), keepdims=True)
    decibels = np.maximum(decibels, loudest - RANGE_DB)
    centred = decibels - decibels.mean(axis=(1, 2), keepdims=True)
    deviation = centred.std(axis=(1, 2), keepdims=True)
    standardized: Spectrograms = (centred / np.where(deviation > 0, deviation, 1)).astype(np.float32)
    return standardized


def _write(recordings: Sequence[Recording], folder: Path, file: Path, noise_db: float | None) -> None:
    draft = file.with_suffix(".part")
    shape = (len(recordings), BANDS, FRAMES)
    array = np.lib.format.open_memmap(draft, mode="w+", dtype=np.float32, shape=shape)
    with bar_of_items("spectrograms", len(recordings)) as advance:
        for first in range(0, len(recordings), AT_ONCE):
            part = recordings[first : first + AT_ONCE]
            waves = [read_wave(folder / recording.name) for recording in part]
            if noise_db is not None:
                waves = [with_noise(wave, noise_db, of.name) for wave, of in zip(waves, part, strict=True)]
            array[first : first + len(part)] = log_mel(np.stack(waves))
            advance(len(part))
    array.flush()
    draft.rename(file)
