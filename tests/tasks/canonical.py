"""Small data sets in the published formats."""

import pickle
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_cifar10(destination: Path, *, batches: int = 2, size: int = 100) -> Path:
    """DEST/cifar-10-batches-py with `size` images in each training batch and half as many to test."""
    folder = destination / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for k in range(1, batches + 1):
        write_batch(folder / f"data_batch_{k}", *synthetic_images(size, seed=k))
    write_batch(folder / "test_batch", *synthetic_images(size // 2, seed=0))
    return folder


def write_batch(path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """A dict with byte keys, images (N, 3072), labels a list, pickled by protocol 2."""
    content = {
        b"batch_label": path.name.encode(),
        b"labels": labels.tolist(),
        b"data": images.reshape(-1, 3072),
        b"filenames": [b"image_%05d.png" % index for index in range(len(images))],
    }
    path.write_bytes(pickle.dumps(content, protocol=2))


def synthetic_images(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noise whose brightness tells the class: (N, 3, 32, 32), and each class as often as can be."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 10)
    brightness = 20 * labels[:, None, None, None]
    return (rng.integers(0, 60, (count, 3, 32, 32)) + brightness).astype(np.uint8), labels


def write_speech_commands(
    destination: Path, *, words: Iterable[str] = ("down", "go", "up"), speakers: int = 20, clips: int = 2
) -> Path:
    """DEST/mini_speech_commands with `clips` of every word by each speaker: a tone for each word, in noise."""
    folder = destination / "mini_speech_commands"
    rng = np.random.default_rng(7)
    time = np.arange(16_000) / 16_000
    for place, word in enumerate(words):
        (folder / word).mkdir(parents=True)
        for speaker in range(speakers):
            for clip in range(clips):
                tone = np.sin(2 * np.pi * 300 * 2**place * time) + 0.1 * rng.standard_normal(len(time))
                write_wave(folder / word / f"{speaker:08x}_nohash_{clip}.wav", (8_000 * tone).astype(np.int16))
    return folder


def write_wave(path: Path, samples: NDArray[np.int16], *, rate: int = 16_000, channels: int = 1) -> None:
    """A wave file of 16 bit."""
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


def write_rcv1(destination: Path, *, train: int = 120, test: int = 40, topics: int = 30) -> Path:
    """DEST/rcv1_topics_*.svm: a document of topic t has words among 100 t + 1 ... 100 t + 6, topics above 27 are rare.

    Document i has topic i modulo 27, every third one the topic 0 beside it.
    """
    rng = np.random.default_rng(7)
    for name, count in (("train", train), ("test", test)):
        lines = []
        for document in range(count):
            found = {document % 27} | ({0} if document % 3 == 0 else set()) | ({topics - 1} if document == 5 else set())
            words = sorted({100 * topic + 1 + int(word) for topic in found for word in rng.integers(0, 6, 6)})
            entries = " ".join(f"{word}:{1 / np.sqrt(len(words)):.6g}" for word in words)
            lines.append(f"{','.join(map(str, sorted(found)))} {entries}\n")
        (destination / f"rcv1_topics_{name}.svm").write_text("".join(lines))
    return destination
