import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from search_spaces import TaskSpec, TrialConfig
from tests.tasks.canonical import write_speech_commands, write_wave
from workers.tasks import DataUnavailable, InvalidOptions, Splits, load_task
from workers.tasks.recordings import find_recordings
from workers.tasks.spectrograms import content_key, log_mel, read_wave, spectrograms
from workers.training import Training

CPU = torch.device("cpu")
SILENCE = np.zeros(16_000, dtype=np.int16)


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 clips: 3 words x 20 speakers x 2."""
    destination = tmp_path_factory.mktemp("speech")
    write_speech_commands(destination)
    return destination


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """The folder of 8 clips whose spectrograms nobody has made."""
    return write_speech_commands(tmp_path, words=("go", "up"), speakers=4, clips=1)


def load(data_folder: Path, train_size: int | None = None, **options: int) -> Splits:
    spec = TaskSpec(name="speech_commands", train_size=train_size, options=options)
    return load_task(spec, data_folder).splits(CPU)


def kept_files(folder: Path) -> list[Path]:
    return sorted(folder.with_name(f"{folder.name}-spectrograms").glob("[!.]*"))


def test_shapes_and_standardization(data_folder: Path) -> None:
    data = load(data_folder)
    assert isinstance(data.train_x, torch.Tensor)
    assert data.train_x.shape[1:] == (1, 128, 128)
    assert data.train_x.dtype == torch.float32
    assert torch.allclose(data.train_x.mean(dim=(1, 2, 3)), torch.zeros(len(data.train_x)), atol=1e-5)
    assert torch.allclose(data.train_x.var(dim=(1, 2, 3), correction=0), torch.ones(len(data.train_x)), atol=1e-4)
    assert data.test_x is not None
    assert len(data.train_x) + len(data.val_x) + len(data.test_x) == 120


def test_spectrograms_keep_their_words(data_folder: Path) -> None:
    data = load(data_folder)
    loudest = data.train_x.mean(dim=(1, 3)).argmax(dim=1)  # the band of the word's tone
    bands = [loudest[data.train_y == word] for word in range(3)]
    assert all(len(band.unique()) <= 2 for band in bands)
    assert bands[0].max() < bands[1].min()
    assert bands[1].max() < bands[2].min()


def test_a_subset_holds_each_word_equally_often_and_larger_ones_contain_it(data_folder: Path) -> None:
    small, large = load(data_folder, train_size=12, val_size=6), load(data_folder, train_size=30)
    assert torch.bincount(small.train_y).tolist() == [4, 4, 4]
    assert torch.bincount(small.val_y).tolist() == [2, 2, 2]
    assert torch.equal(small.train_x, large.train_x[:12])


@pytest.mark.parametrize(
    ("train_size", "options", "message"),
    [
        (121, {}, r"^task\.train_size 121 is more than the \d+ samples there are: choose a smaller one$"),
        (None, {"val_size": 121}, r"^task\.options\.val_size 121 is more than the \d+ samples"),
        (None, {"words": 3}, r"^task\.options\.words is unknown to speech_commands"),
    ],
)
def test_sizes_that_do_not_fit_are_said_in_one_line(data_folder: Path, train_size, options, message) -> None:
    with pytest.raises(InvalidOptions, match=message):
        load(data_folder, train_size, **options)


def test_a_sound_and_its_shape() -> None:
    time = np.arange(16_000) / 16_000
    tones = np.stack([np.sin(2 * np.pi * pitch * time) for pitch in (500, 4_000)]).astype(np.float32)
    found = log_mel(tones)
    assert found.shape == (2, 128, 128)
    low, high = found.mean(axis=2).argmax(axis=1)
    assert low < high - 30


def test_loudness_does_not_matter_and_silence_is_zero() -> None:
    sound = np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32)
    assert np.allclose(log_mel(sound), log_mel(sound / 16), atol=1e-4)
    assert not log_mel(np.zeros((1, 16_000), np.float32)).any()


def test_a_clip_does_not_depend_on_those_beside_it() -> None:
    sounds = np.random.default_rng(0).standard_normal((3, 16_000)).astype(np.float32)
    sounds[1] *= 1_000
    assert np.allclose(log_mel(sounds)[:1], log_mel(sounds[:1]), atol=1e-5)


def test_short_clips_end_in_silence_and_long_ones_are_cut(tmp_path: Path) -> None:
    for length in (100, 20_000):
        write_wave(tmp_path / "clip.wav", np.full(length, 2**14, dtype=np.int16))
        sound = read_wave(tmp_path / "clip.wav")
        assert sound.shape == (16_000,)
        assert set(sound[:length]) == {0.5}
        assert not sound[length:].any()


def test_computed_once_and_then_read(few: Path) -> None:
    recordings = find_recordings(few)
    first = spectrograms(recordings, few)
    (file,) = kept_files(few)
    written = file.stat()
    again = spectrograms(recordings, few)
    assert np.array_equal(first, again)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_another_set_of_files_has_other_spectrograms(few: Path) -> None:
    before = find_recordings(few)
    spectrograms(before, few)
    write_wave(few / "go" / "0000000a_nohash_0.wav", SILENCE)
    more = find_recordings(few)
    write_wave(few / "go" / "0000000a_nohash_0.wav", SILENCE[:8_000])
    shorter = find_recordings(few)
    assert len({content_key(recordings) for recordings in (before, more, shorter)}) == 3
    assert spectrograms(more, few).shape[0] == 9
    assert len(kept_files(few)) == 2


def _inode(folder: Path, found: "multiprocessing.Queue[int]") -> None:
    spectrograms(find_recordings(folder), folder)
    (file,) = kept_files(folder)
    found.put(file.stat().st_ino)


@pytest.mark.wide
def test_two_processes_compute_once(few: Path) -> None:
    context = multiprocessing.get_context("spawn")
    found: multiprocessing.Queue[int] = context.Queue()
    processes = [context.Process(target=_inode, args=(few, found)) for _ in range(2)]
    for process in processes:
        process.start()
    inodes = {found.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(inodes) == 1


def test_librosa_is_not_imported_when_the_spectrograms_are_there(data_folder: Path) -> None:
    load(data_folder)
    code = (
        "import sys, pathlib, torch\n"
        "from search_spaces import TaskSpec\n"
        "from workers.tasks import load_task\n"
        "task = load_task(TaskSpec(name='speech_commands'), pathlib.Path(sys.argv[1]))\n"
        "task.load(torch.device('cpu'))\n"
        "print('librosa' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(data_folder)]
    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout == "False\n"


def test_a_computation_that_broke_off_leaves_nothing_that_counts(few: Path) -> None:
    broken = few / "up" / "00000003_nohash_0.wav"
    content = broken.read_bytes()
    broken.write_bytes(content[:44] + b"x" * (len(content) - 44))  # of the same size
    write_wave(broken, SILENCE, rate=8_000)
    recordings = find_recordings(few)
    with pytest.raises(
        DataUnavailable, match=r"00000003_nohash_0\.wav is no wave file of 16000 Hz, mono, 16 bit \(8000"
    ):
        spectrograms(recordings, few)
    assert not [file for file in kept_files(few) if file.suffix == ".npy"]
    broken.write_bytes(content)
    assert spectrograms(recordings, few).shape == (8, 128, 128)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all" * 10])
def test_a_damaged_clip_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.wav").write_bytes(content)
    with pytest.raises(DataUnavailable, match=r"clip\.wav is no wave file .* \(.+\): replace or remove it$"):
        read_wave(tmp_path / "clip.wav")


def test_stereo_is_refused_by_name(tmp_path: Path) -> None:
    write_wave(tmp_path / "clip.wav", SILENCE, channels=2)
    with pytest.raises(DataUnavailable, match="2 channels"):
        read_wave(tmp_path / "clip.wav")


def test_damaged_spectrograms_are_refused_by_name(few: Path) -> None:
    recordings = find_recordings(few)
    spectrograms(recordings, few)
    (file,) = kept_files(few)
    np.save(file, np.zeros((3, 3)))
    with pytest.raises(DataUnavailable, match=r"\.npy is damaged: remove it"):
        spectrograms(recordings, few)
    file.write_bytes(b"not an array")
    with pytest.raises(DataUnavailable, match=r"\.npy cannot be kept \(.+\): .* or remove the file"):
        spectrograms(recordings, few)


def test_spectrograms_that_cannot_be_kept_are_said_in_one_line(few: Path) -> None:
    few.with_name(f"{few.name}-spectrograms").write_text("in the way")
    with pytest.raises(DataUnavailable, match=r"cannot be kept \(.+\): let the worker write to .*-spectrograms"):
        spectrograms(find_recordings(few), few)


def test_learns_words(data_folder: Path) -> None:
    task = load_task(TaskSpec(name="speech_commands", train_size=24, options={"val_size": 12}), data_folder)
    config = TrialConfig(regularizer="dropout", drop_rate=0.2, batch_size=8, units=16)
    training = Training(task, config, epochs=2, seed=0, device=CPU)
    *_, last = training.epochs()
    assert training.facts["parameters"] == 65536 * 16 + 16 + 16 * 64 + 64 + 64 * 3 + 3 + 32 * 9 + 32 + 64 * 32 * 9 + 64
    assert last.metrics["val_accuracy"] > 0.8


def test_learns_real_words(tmp_path: Path, shared_data: Path) -> None:
    """Two words of 24 clips each: the shape of the network and the labels of the data, not a benchmark."""
    with np.load(shared_data / "speech_val.npz") as content:
        folder = write_real_clips(tmp_path, content, words={6: "up", 7: "yes"}, clips=24)
    task = load_task(TaskSpec(name="speech_commands", train_size=24), tmp_path)
    config = TrialConfig(batch_size=4, units=16)
    *_, last = Training(task, config, epochs=4, seed=0, device=CPU).epochs()
    assert len(find_recordings(folder)) == 48
    assert last.metrics["train_accuracy"] > 0.75


def write_real_clips(destination: Path, content, *, words: dict[int, str], clips: int) -> Path:
    """The first clips of some words in the published layout; samples are coded as differences (see the data's page)."""
    starts = np.cumsum([0, *content["lengths"]])
    folder = destination / "mini_speech_commands"
    for label, word in words.items():
        (folder / word).mkdir(parents=True)
        for clip in np.flatnonzero(content["labels"] == label)[:clips]:
            entries = slice(starts[clip], starts[clip + 1])
            coded = content["lo"][entries].astype(np.uint16) | (content["hi"][entries].astype(np.uint16) << 8)
            samples = (coded >> 1) ^ (0 - (coded & 1))
            for _ in range(content["order"][clip]):
                samples = np.cumsum(samples, dtype=np.uint16)
            name = f"{content['speakers'][clip].decode()}_nohash_{clip}.wav"
            write_wave(folder / word / name, samples.astype(np.int16))
    return folder
