import re
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, csr_matrix

from search_spaces import TaskSpec, TrialConfig
from tests.tasks.canonical import write_rcv1
from workers.tasks import DataUnavailable, SparseRows, Splits, load_task
from workers.tasks.documents import LYRL2004_TRAIN, TOPICS, WORDS, Documents, read_documents, read_svmlight
from workers.tasks.rcv1 import first_topic, most_frequent_topics
from workers.training import Training
from workers.training.model import model_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rcv1(tmp_path_factory.mktemp("rcv1"))


def load(data_folder: Path, train_size: int | None = None, **options: int) -> Splits:
    return load_task(TaskSpec(name="rcv1", train_size=train_size, options=options), data_folder).splits(CPU)


def words_of(rows: SparseRows, row: int) -> set[int]:
    return set(rows[row : row + 1].columns.tolist())


def test_inputs_stay_sparse_in_every_split(data_folder: Path) -> None:
    data = load(data_folder)
    for x, y, count in (
        (data.train_x, data.train_y, 96),
        (data.val_x, data.val_y, 24),
        (data.test_x, data.test_y, 40),
    ):
        assert isinstance(x, SparseRows)
        assert (len(x), tuple(y.shape)) == (count, (count, 25))
        assert x.nbytes < 100 * count * 8
        assert x.values.square().sum().item() == pytest.approx(count, rel=1e-3)  # each document has length 1


def test_topics_are_the_most_frequent_first_and_keep_their_documents(data_folder: Path) -> None:
    data = load(data_folder)
    assert isinstance(data.train_x, SparseRows)
    frequencies = data.train_y.sum(dim=0) + data.val_y.sum(dim=0)
    assert frequencies.tolist() == sorted(frequencies.tolist(), reverse=True)
    assert frequencies[0] == 40  # topic 0: every third document
    for row in range(len(data.train_x)):
        told = {word // 100 for word in words_of(data.train_x, row)}  # see write_rcv1
        assert set(data.train_y[row].nonzero().flatten().tolist()) == told & set(range(25))


def test_the_test_file_has_the_topics_of_the_training_file(data_folder: Path) -> None:
    data = load(data_folder)
    assert isinstance(data.test_x, SparseRows)
    assert data.test_y is not None
    for row in range(len(data.test_x)):
        told = {word // 100 for word in words_of(data.test_x, row)}
        assert set(data.test_y[row].nonzero().flatten().tolist()) == told & set(range(25))


def test_subsets_are_nested_and_share_no_document_with_validation(data_folder: Path) -> None:
    small, large = load(data_folder, train_size=20, val_size=10), load(data_folder, train_size=60, val_size=30)
    assert isinstance(small.train_x, SparseRows)
    assert isinstance(large.train_x, SparseRows)
    assert torch.equal(small.train_x.values, large.train_x[:20].values)
    assert torch.equal(small.val_y, large.val_y[:10])


def test_topics_of_equal_frequency_come_in_order_and_documents_without_one_are_told() -> None:
    shown = np.zeros((30, TOPICS), dtype=np.int8)
    shown[np.arange(28), np.arange(28)] = 1
    shown[28, 40] = shown[28, 27] = 1
    documents = Documents(csr_array((30, WORDS)), csr_array(shown))
    topics = most_frequent_topics(documents)
    assert topics.tolist() == [27, *range(24)]
    assert first_topic(shown[:, topics].astype(np.float32)).tolist()[23:30] == [24, 25, 25, 25, 0, 0, 25]


def test_too_few_topics_are_said_in_one_line(tmp_path: Path) -> None:
    write_rcv1(tmp_path, train=20)
    with pytest.raises(DataUnavailable, match=r"have 21 topics, 25 are needed: take more documents"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 1:0.5 nonsense", r".+"),
        ("0,1.5 1:0.5", "topics must be whole numbers from 0 to 102"),
        ("0,103 1:0.5", "topics must be whole numbers from 0 to 102"),
        ("-1 1:0.5", "topics must be whole numbers from 0 to 102"),
        ("0 47237:0.5", r".*47236.*"),
        ("0 0:0.5", r".+"),
        ("0 1:nan", "a value is not finite"),
        ("0 1:inf", "a value is not finite"),
        ("news 1:0.5", r".+"),
    ],
)
def test_a_file_that_is_not_of_the_format_is_refused_by_name(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "rcv1_topics_train.svm"
    path.write_text(f"0 1:0.5\n{line}\n")
    with pytest.raises(
        DataUnavailable, match=rf"_train\.svm cannot be read \({reason}\): it must be a multi-label"
    ) as refusal:
        read_svmlight(path)
    assert "\n" not in str(refusal.value)


def test_a_document_without_topics_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "rcv1_topics_train.svm"
    path.write_text("3,7 1:0.5\n 2:0.25 47236:1\n")
    documents = read_svmlight(path)
    assert documents.topics.toarray().nonzero()[1].tolist() == [3, 7]
    assert documents.words.shape == (2, WORDS)
    assert documents.words[[1], :].indices.tolist() == [1, 47_235]


def test_one_file_without_the_other_is_refused_by_name(tmp_path: Path) -> None:
    write_rcv1(tmp_path)
    (tmp_path / "rcv1_topics_test.svm").unlink()
    with pytest.raises(DataUnavailable, match=r"rcv1_topics_test\.svm cannot be read \(No such file or directory\)"):
        load(tmp_path)


@pytest.mark.filterwarnings("ignore:Retry downloading")
def test_without_files_and_network_one_line_says_where_they_go(tmp_path, monkeypatch, unused_port) -> None:
    for name in ("https_proxy", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")  # nobody serves a proxy there: no network
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataUnavailable) as refusal:
        load(tmp_path)
    pattern = r"\S+/rcv1_topics_train\.svm is missing and fetch_rcv1 .* \(.+\): put .* into \S+"
    assert re.fullmatch(pattern, str(refusal.value))


def test_what_scikit_learn_has_fetched_is_used(tmp_path: Path) -> None:
    """The files that fetch_rcv1 keeps, with few entries: the first 23,149 documents train."""
    count = LYRL2004_TRAIN + 30
    words = csr_matrix((np.ones(count), (np.arange(count), np.arange(count) % 1000)), shape=(count, WORDS))
    topics = csr_matrix((np.ones(count, np.uint8), (np.arange(count), np.arange(count) % 30)), shape=(count, TOPICS))
    kept = {"samples": words, "sample_id": np.arange(count), "sample_topics": topics, "topics_names": np.arange(TOPICS)}
    (tmp_path / "RCV1").mkdir()
    for name, content in kept.items():
        joblib.dump(content, tmp_path / "RCV1" / f"{name}_py3.pkl")
    train, test = read_documents(tmp_path)
    assert (train.words.shape[0], test.words.shape[0]) == (LYRL2004_TRAIN, 30)
    assert test.topics.nonzero()[1][0] == LYRL2004_TRAIN % 30
    assert most_frequent_topics(train).tolist() == list(range(25))  # counted in unsigned bytes there


def test_damaged_files_of_scikit_learn_are_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "RCV1").mkdir()
    for name in ("samples", "sample_id"):
        (tmp_path / "RCV1" / f"{name}_py3.pkl").write_bytes(b"damaged")
    with pytest.raises(DataUnavailable, match=r"fetch_rcv1 of scikit-learn did not succeed \(.+\): put rcv1_topics"):
        read_documents(tmp_path)


@pytest.mark.parametrize("regularizer", ["none", "masksembles", "pernodedrop"])
def test_units_of_128_make_the_papers_network(data_folder: Path, regularizer: str) -> None:
    task = load_task(TaskSpec(name="rcv1"), data_folder)
    model = model_of(task, TrialConfig(regularizer=regularizer, units=128))[0]
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters == 47_236 * 1024 + 1024 + 1024 * 256 + 256 + 256 * 128 + 128 + 128 * 25 + 25


def test_learns_topics(data_folder: Path) -> None:
    task = load_task(TaskSpec(name="rcv1"), data_folder)
    config = TrialConfig(regularizer="pernodedrop", drop_rate=0.1, units=64, batch_size=12, learning_rate=0.01)
    training = Training(task, config, epochs=5, seed=0, device=CPU)
    first, *_, last = training.epochs()
    assert last.metrics["val_loss"] < first.metrics["val_loss"]
    assert last.metrics["val_accuracy"] > 0.6  # topic 0 is the first of a third
    assert training.test()["test_accuracy"] > 0.6


def test_learns_real_topics(tmp_path: Path, shared_data: Path) -> None:
    for split, name in (("train", "train"), ("val", "test")):
        with np.load(shared_data / "small" / f"rcv1_{split}.npz") as content:
            write_svmlight(tmp_path / f"rcv1_topics_{name}.svm", content)
    task = load_task(TaskSpec(name="rcv1"), tmp_path)
    config = TrialConfig(regularizer="dropout", drop_rate=0.2, batch_size=32, units=128, learning_rate=0.01)
    training = Training(task, config, epochs=2, seed=0, device=CPU)
    *_, last = training.epochs()
    assert last.metrics["val_accuracy"] > 0.55  # the most frequent topic has less than half
    assert training.test()["test_micro_f1"] > 0.35  # naming the most frequent topic alone gives less than 0.3


def write_svmlight(path: Path, content) -> None:
    with path.open("w") as file:
        for row in range(len(content["x_indptr"]) - 1):
            words = slice(*content["x_indptr"][row : row + 2])
            topics = content["y_indices"][slice(*content["y_indptr"][row : row + 2])]
            entries = zip(content["x_indices"][words] + 1, content["x_data"][words], strict=True)
            file.write(",".join(map(str, topics)) + " " + " ".join(f"{w}:{v:.6g}" for w, v in entries) + "\n")
