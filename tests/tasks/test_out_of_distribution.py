import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from search_spaces import BUILT_IN_TASKS, TaskSpec, TrialConfig
from tests.tasks.canonical import synthetic_images, write_batch, write_cifar10, write_rcv1, write_speech_commands
from workers.tasks import DataUnavailable, InputSet, InvalidOptions, SparseRows, Task, load_task
from workers.tasks.digits import all_digits
from workers.tasks.spectrograms import with_noise

CPU = torch.device("cpu")
DATA = {
    "cifar10": lambda folder: write_cifar10(folder, size=60),
    "speech_commands": lambda folder: write_speech_commands(
        folder, words=("down", "go", "no", "up"), speakers=12, clips=1
    ),
    "rcv1": write_rcv1,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out_of_distribution")
    for write in DATA.values():
        write(folder)
    return folder


def task(data: Path, name: str, train_size: int | None = None, **options: int | str) -> Task:
    return load_task(TaskSpec(name=name, train_size=train_size, options=options), data)


def only(sets: object) -> InputSet:
    (found,) = sets  # type: ignore[misc]
    return found


@pytest.mark.parametrize("name", [name for name in BUILT_IN_TASKS if BUILT_IN_TASKS[name].out_of_distribution])
def test_every_task_has_the_sets_that_studies_may_name(data: Path, name: str) -> None:
    held_out = {"digits": "8 9", "cifar10": "cat 8", "speech_commands": "go", "rcv1": "3"}[name]
    found = task(data, name, held_out=held_out)
    test = found.splits(CPU)
    assert test.test_x is not None
    names = []
    for offered in BUILT_IN_TASKS[name].out_of_distribution:
        sets = found.out_of_distribution(offered, CPU)
        for place, each in enumerate(sets, start=1):
            names.append(each.name)
            assert re.fullmatch(r"\w+", each.name)
            assert type(each.x) is type(test.test_x)
            if isinstance(each.x, torch.Tensor):
                assert each.x.shape[1:] == test.test_x.shape[1:]
                assert each.x.dtype == torch.float32
            if each.kind == "shift":
                assert (each.name, each.level) == (f"{offered}_{place}", place)
                assert len(each.x) == len(test.test_x)
                assert torch.equal(each.y, test.test_y)
            else:
                assert (each.name, each.level, each.y) == (offered, 0, None)
    assert len(set(names)) == len(names)
    with pytest.raises(ValueError, match=rf"^task {name} has no inputs .* 'held_oot': did you mean held_out\?$"):
        found.out_of_distribution("held_oot", CPU)
    with pytest.raises(ValueError, match=rf"^task {name} has no inputs out of distribution named 'fog': it has held_"):
        found.out_of_distribution("fog", CPU)
    with pytest.raises(InvalidOptions, match=r"^the inputs held_out of task \w+ need task\.options\.held_out: name"):
        task(data, name).out_of_distribution("held_out", CPU)


def test_a_linear_network_has_none() -> None:
    with pytest.raises(ValueError, match=r"^task linear_factorization offers no inputs out of distribution, got 'far'"):
        task(Path(), "linear_factorization").out_of_distribution("far", CPU)


def test_held_out_digits_leave_every_split_and_the_others_are_numbered_anew() -> None:
    whole, part = task(Path(), "digits"), task(Path(), "digits", held_out="3, 8")
    of_whole, left = whole.splits(CPU), part.splits(CPU)
    kept = [0, 1, 2, 4, 5, 6, 7, 9]
    assert len(left.train_x) + len(left.val_x) == sum(
        int((all_digits().labels == digit).sum()) for digit in kept
    ) - len(left.test_x)
    for y in (left.train_y, left.val_y, left.test_y):
        assert sorted(y.unique().tolist()) == list(range(8))
    renumbered = torch.tensor([kept.index(digit) for digit in of_whole.test_y.tolist() if digit in kept])
    assert torch.equal(left.test_y, renumbered)
    assert left.train_x.double().mean().item() == pytest.approx(0.0, abs=1e-6)  # by what remains
    strange = only(part.out_of_distribution("held_out", CPU))
    assert len(strange.x) == sum(int((of_whole.test_y == digit).sum()) for digit in (3, 8))
    assert part.build(TrialConfig(units=4))(strange.x).shape == (len(strange.x), 8)
    assert len(task(Path(), "digits", train_size=100, held_out="3 8").splits(CPU).train_x) == 100
    with pytest.raises(InvalidOptions, match=r"^task\.train_size 1150 and val_size \d+ need \d+ samples, but there"):
        task(Path(), "digits", train_size=1150, held_out="3 8").splits(CPU)


def test_held_out_images_are_those_of_their_classes(data: Path) -> None:
    found = task(data, "cifar10", held_out="cat, 0")
    left = found.splits(CPU)
    order = left.train_x.mean(dim=(1, 2, 3)).argsort()  # the brightness tells the class
    assert torch.equal(left.train_y[order], left.train_y.sort().values)
    assert left.train_y.max() == 7
    pixels, labels = synthetic_images(30, seed=0)
    strange = only(found.out_of_distribution("held_out", CPU))
    assert len(strange.x) == 6
    mean, deviation = found.unseen(CPU).mean, found.unseen(CPU).deviation
    expected = torch.from_numpy(pixels[np.isin(labels, (0, 3))])
    torch.testing.assert_close(strange.x * deviation + mean, expected.float(), atol=1e-3, rtol=0)
    far = only(found.out_of_distribution("far", CPU))
    shades = (far.x * deviation + mean).round()
    assert far.x.shape == (1797, 3, 32, 32)
    assert (shades.min().item(), shades.max().item()) == (0.0, 255.0)
    torch.testing.assert_close(
        shades[:, 1, ::4, 3::4] * 16 / 255, torch.from_numpy(all_digits().pixels[:, 0]).float(), atol=0.04, rtol=0
    )


def test_held_out_words_leave_every_split_and_no_speaker_changes_sides(data: Path) -> None:
    found = task(data, "speech_commands", held_out="go")
    whole, part = task(data, "speech_commands").splits(CPU), found.splits(CPU)
    for split in ("train", "val", "test"):
        every, left = (
            {row.numpy().tobytes(): word for row, word in zip(x, y.tolist(), strict=True)}
            for x, y in ((getattr(each, f"{split}_x"), getattr(each, f"{split}_y")) for each in (whole, part))
        )
        assert left == {row: [0, None, 1, 2][word] for row, word in every.items() if word != 1}
    strange = only(found.out_of_distribution("held_out", CPU))
    assert torch.equal(strange.x, whole.test_x[whole.test_y == 1])
    assert found.build(TrialConfig(units=4))(strange.x).shape == (len(strange.x), 3)


def test_noise_in_the_wave_has_its_ratio_and_follows_from_the_clips_name(data: Path) -> None:
    sound = np.sin(np.arange(16_000) / 7, dtype=np.float32)
    for noise_db in (20, 0):
        noise = with_noise(sound, noise_db, "go/a.wav") - sound
        assert 10 * np.log10(np.mean(sound**2) / np.mean(noise**2)) == pytest.approx(noise_db, abs=0.2)
        assert abs(np.corrcoef(noise, with_noise(sound, 10, "go/b.wav") - sound)[0, 1]) < 5 / 16_000**0.5
    found = task(data, "speech_commands", held_out="go").out_of_distribution("white_noise", CPU)
    clean = task(data, "speech_commands", held_out="go").splits(CPU).test_x
    distances = [(each.x - clean).square().mean().item() for each in found]
    assert len(distances) == 4
    assert 0 < distances[0] < distances[1] < distances[2] < distances[3]


def test_documents_of_a_held_out_topic_leave_and_so_does_its_output(data: Path) -> None:
    whole, found = task(data, "rcv1").splits(CPU), task(data, "rcv1", held_out="6 3")
    left, strange = found.splits(CPU), only(found.out_of_distribution("held_out", CPU))
    for x in (left.train_x, left.val_x, left.test_x):
        assert isinstance(x, SparseRows)
        assert not {3, 6} & set((x.columns // 100).tolist())  # words tell topics: see write_rcv1
    assert isinstance(strange.x, SparseRows)
    assert len(strange.x) + len(left.test_x) == len(whole.test_x) == 40
    assert {3, 6} & set((strange.x[:1].columns // 100).tolist())
    assert left.test_y.shape == (len(left.test_x), 23)
    for row in range(len(left.test_x)):
        topics = [topic for topic in range(25) if topic not in (3, 6)]
        shown = {topics[place] for place in left.test_y[row].nonzero().flatten().tolist()}
        assert shown == {topic for topic in set((left.test_x[row : row + 1].columns // 100).tolist()) if topic < 25}
    with torch.device("meta"):
        assert [*found.build(TrialConfig(units=1)).parameters()][-1].shape == (23,)


def test_words_are_dropped_at_random_and_what_is_left_is_as_long_as_before(data: Path) -> None:
    found = task(data, "rcv1")
    x = found.splits(CPU).test_x
    levels = [each.x for each in found.out_of_distribution("words_dropped", CPU)]
    assert isinstance(x, SparseRows)
    before = [set(x[row : row + 1].columns.tolist()) for row in range(len(x))]
    for thin, thinner in pairwise(levels):
        for row in range(len(x)):
            some, fewer = (set(each[row : row + 1].columns.tolist()) for each in (thin, thinner))
            assert fewer <= some <= before[row]
            length = thin[row : row + 1].values.square().sum().item()
            assert length == pytest.approx(1.0 if some else 0.0, abs=1e-4)
    shares = [1 - len(each.values) / len(x.values) for each in levels]
    assert shares == pytest.approx([0.1, 0.25, 0.5, 0.75, 0.9], abs=5 * (0.25 / len(x.values)) ** 0.5)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("cifar10", "catt", r"names 'catt', which is no class of cifar10: did you mean cat\?$"),
        ("cifar10", "10", r"names '10', which is no class of cifar10: it has airplane, automobile, bird"),
        ("digits", "0 1 2 3 4 5 6 7 8", r"must leave at least 2 classes of digits to learn, got 9 of 10: hold out few"),
        ("digits", " , ", r"must name classes, such as \"8 9\", got ' , '$"),
        ("digits", True, r"must name classes, such as \"8 9\", got True$"),
        ("digits", 8.5, r"must name classes, such as \"8 9\", got 8\.5$"),
        ("speech_commands", "stopp", r"names 'stopp', which is no class of speech_commands: it has down, go, no, up$"),
        ("speech_commands", "go,no,up", r"must leave at least 2 classes of speech_commands"),
        ("rcv1", "0", r"must name topics of rcv1 that include no other of its 25, got '0': choose of 1, 2, 3, 4, 5"),
        ("rcv1", "26", r"must name topics of rcv1 that include no other of its 25, got '26': choose of 1, 2"),
        ("rcv1", "C15", r"must name topics of rcv1 that include no other of its 25, got 'C15': choose of 1, 2"),
    ],
)
def test_what_cannot_be_held_out_is_said_in_one_line(data: Path, name: str, value, message: str) -> None:
    with pytest.raises(InvalidOptions, match=rf"^task\.options\.held_out {message}") as refusal:
        task(data, name, held_out=value).splits(CPU)
    assert "\n" not in str(refusal.value)


def test_one_class_may_be_a_number() -> None:
    assert torch.equal(
        task(Path(), "digits", held_out=8).splits(CPU).val_x, task(Path(), "digits", held_out="8").splits(CPU).val_x
    )


def test_classes_that_no_test_sample_has_are_refused(tmp_path: Path) -> None:
    write_cifar10(tmp_path, size=20)
    (tmp_path / "cifar-10-batches-py" / "test_batch").unlink()
    pixels, labels = synthetic_images(20, seed=1)
    write_batch(tmp_path / "cifar-10-batches-py" / "test_batch", pixels[labels != 3], labels[labels != 3])
    with pytest.raises(DataUnavailable, match=r"^no test sample is of the held-out cat: hold out others$"):
        task(tmp_path, "cifar10", held_out="cat").out_of_distribution("held_out", CPU)
