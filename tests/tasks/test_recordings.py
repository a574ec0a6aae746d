from pathlib import Path

import numpy as np
import pytest

from tests.tasks.canonical import write_wave
from workers.tasks import DataUnavailable
from workers.tasks.recordings import Recording, Sides, find_recordings, sides

SILENCE = np.zeros(10, dtype=np.int16)


@pytest.fixture
def recordings() -> list[Recording]:
    """100 speakers, each with one to three clips of two words."""
    counts = np.random.default_rng(0).integers(1, 4, 100)
    return [
        Recording(word, f"{speaker:08x}_nohash_{clip}.wav", 32_044)
        for word in ("go", "stop")
        for speaker in range(100)
        for clip in range(counts[speaker])
    ]


def speakers(recordings: list[Recording], side: np.ndarray) -> set[str]:
    return {recordings[index].speaker for index in side}


def assert_disjoint(recordings: list[Recording], found: Sides) -> None:
    parts = [speakers(recordings, side) for side in (found.train, found.val, found.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 100
    assert len(found.train) + len(found.val) + len(found.test) == len(recordings)


def write_list(folder: Path, name: str, recordings: list[Recording], among: range) -> None:
    named = [recording.name for recording in recordings if int(recording.speaker, 16) in among]
    (folder / name).write_text("\n".join([*named, "another_word/00000001_nohash_0.wav"]) + "\n")


def test_without_lists_nobody_is_heard_on_two_sides_and_seven_train_for_three(recordings, tmp_path: Path) -> None:
    found = sides(recordings, tmp_path, split_seed=0)
    assert_disjoint(recordings, found)
    clips = len(recordings)
    assert 0.12 * clips < len(found.test) <= 0.15 * clips
    assert 0.27 < len(found.val) / (len(found.train) + len(found.val)) <= 0.3


def test_the_split_seed_moves_all_but_the_test(recordings, tmp_path: Path) -> None:
    one, again, other = (sides(recordings, tmp_path, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.val, again.val)
    assert not np.array_equal(one.val, other.val)
    assert np.array_equal(one.test, other.test)


def test_the_validation_list_is_the_validation_side_whatever_the_seed(recordings, tmp_path: Path) -> None:
    write_list(tmp_path, "validation_list.txt", recordings, range(20))
    one, other = (sides(recordings, tmp_path, seed) for seed in (1, 2))
    assert_disjoint(recordings, one)
    assert speakers(recordings, one.val) == {f"{speaker:08x}" for speaker in range(20)}
    assert all(np.array_equal(getattr(one, side), getattr(other, side)) for side in ("train", "val", "test"))
    assert len(one.test) > 0


def test_a_list_that_names_one_clip_of_a_speaker_takes_the_others_along(recordings, tmp_path: Path) -> None:
    named = next(recording for recording in recordings if recording.speaker == "00000003")
    (tmp_path / "validation_list.txt").write_text(f"{named.name}\n")
    found = sides(recordings, tmp_path, split_seed=0)
    assert_disjoint(recordings, found)
    assert speakers(recordings, found.val) == {"00000003"}


def test_both_lists_are_taken_and_the_test_has_the_first_claim(recordings, tmp_path: Path) -> None:
    write_list(tmp_path, "validation_list.txt", recordings, range(20))
    write_list(tmp_path, "testing_list.txt", recordings, range(15, 40))
    found = sides(recordings, tmp_path, split_seed=0)
    assert_disjoint(recordings, found)
    assert speakers(recordings, found.val) == {f"{speaker:08x}" for speaker in range(15)}
    assert speakers(recordings, found.test) == {f"{speaker:08x}" for speaker in range(15, 40)}


def test_names_without_a_speaker_count_one_each(tmp_path: Path) -> None:
    recordings = [Recording(word, f"{clip}.wav", 1) for word in ("go", "stop") for clip in range(50)]
    found = sides(recordings, tmp_path, split_seed=0)
    assert [len(side) for side in (found.train, found.val, found.test)] == [60, 25, 15]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"go/another_nohash_0.wav\n", r"validation_list\.txt names none of the recordings beside it: remove it"),
        (b"\xff\xfe\x00", r"validation_list\.txt cannot be read \(.*\): repair it, or remove it"),
    ],
)
def test_a_list_that_does_not_fit_is_said_in_one_line(recordings, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "validation_list.txt").write_bytes(content)
    with pytest.raises(DataUnavailable, match=message) as refusal:
        sides(recordings, tmp_path, split_seed=0)
    assert "\n" not in str(refusal.value)


def test_a_list_too_large_to_be_one_is_refused(recordings, tmp_path: Path) -> None:
    with (tmp_path / "testing_list.txt").open("wb") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(DataUnavailable, match=r"testing_list\.txt is larger than \d+ bytes: it is no list"):
        sides(recordings, tmp_path, split_seed=0)


def test_too_few_speakers_are_said_in_one_line(tmp_path: Path) -> None:
    recordings = [Recording(word, f"0000000{speaker}_nohash_0.wav", 1) for word in ("go", "up") for speaker in (1, 2)]
    with pytest.raises(DataUnavailable, match="too few speakers for three sides: 4 recordings to train, 0 to validate"):
        sides(recordings, tmp_path, split_seed=0)


def test_finds_words_by_name_and_passes_over_what_is_none(tmp_path: Path) -> None:
    for name in ("up/b_nohash_0.wav", "up/a_nohash_0.wav", "go/c.wav", "_background_noise_/rain.wav", ".hidden/x.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        write_wave(path, SILENCE)
    (tmp_path / "up" / "notes.txt").write_text("")
    found = find_recordings(tmp_path)
    assert [recording.name for recording in found] == ["go/c.wav", "up/a_nohash_0.wav", "up/b_nohash_0.wav"]
    assert [recording.speaker for recording in found] == ["go/c.wav", "a", "b"]
    assert {recording.size for recording in found} == {44 + 20}


def test_a_folder_without_words_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"of 0 words, at least 2 are needed: remove the folder"):
        find_recordings(tmp_path)
