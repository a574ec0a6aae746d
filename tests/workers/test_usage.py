"""A wrong option of a worker, or of what else the workers run, is told in one line."""

import pytest

from workers import __main__ as worker
from workers.reproduction.__main__ import main as reproduce
from workers.winner.__main__ import main as export

WORKER = {
    ("--log-level", "inof"): "--log-level must be one of debug, info, warning, error, got 'inof': did you mean",
    ("--divice", "cpu"): "there is no option --divice: did you mean --device? see",
    ("--divice=cpu",): "there is no option --divice: did you mean --device? see",
    ("--slots", "0"): "--slots must be auto or from 1 to 64, got 0: see",
    ("--device", "cdua:0"): 'must be auto, cpu or cuda:N, got cdua:0: did you mean "cuda:0"? see',
    ("--threads",): "--threads: expected one argument: see",
    ("drain",): "there is nothing that 'drain' could mean: leave it out: see",
    ("--x\x1b[2J",): "there is no option --x\\x1b[2J",
}


@pytest.mark.parametrize(("arguments", "line"), WORKER.items())
def test_a_wrong_option_of_a_worker(arguments: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        worker.parser().parse_args(list(arguments))
    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert line in said.err
    assert said.err.endswith(" see `pernodedrop worker --help`\n")


def test_what_else_the_workers_run_is_told_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    for run, arguments, line in (
        (reproduce, [], "the following arguments are required: capsule: see"),
        (reproduce, ["x.zip", "--trail", "3"], "there is no option --trail: did you mean --trial? see"),
        (reproduce, ["x.zip", "--trial", "a"], "--trial must be a whole number from 0, got 'a': see"),
        (export, ["x", "--format", "onx"], "must be one of onnx, pt2, got 'onx': did you mean \"onnx\"? see"),
        (export, ["x", "--fromat", "onnx"], "there is no option --fromat: did you mean --format? see"),
    ):
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        said = capsys.readouterr().err
        assert (ended.value.code, said.count("\n")) == (2, 1), said
        assert line in said
