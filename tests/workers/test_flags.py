"""Wrong flags of a worker: one line that names the flag, and exit code 2, before anything is imported or reached."""

import pytest

from workers.__main__ import main

WRONG = {
    ("--threads", "0"): "must be from 1 to 1024, got 0",
    ("--threads", "-1"): "must be from 1 to 1024, got -1",
    ("--threads", "1000000000"): "must be from 1 to 1024, got 1000000000",
    ("--threads", "\u0662x"): "must be from 1 to 1024, got \u0662x",
    ("--threads", "1.5"): "must be from 1 to 1024, got 1.5",
    ("--slots", "65"): "must be auto or from 1 to 64, got 65",
    ("--slots", "9" * 5000): "must be auto or from 1 to 64, got 9999",
    ("--lease", "nan"): "must be a number of seconds above 0 and below 1e6, got nan",
    ("--lease", "0"): "must be a number of seconds above 0 and below 1e6, got 0",
    ("--grace", "soon"): "must be a number of seconds above 0 and below 1e6, got soon",
    ("--poll", "1e400"): "must be a number of seconds above 0 and below 1e6, got 1e400",
    ("--log-level", "loud"): "must be one of debug, info, warning, error, got 'loud'",
    ("--device", "gpu"): "must be auto, cpu or cuda:N, got gpu",
    ("--device", "cuda:x"): "must be auto, cpu or cuda:N, got cuda:x",
    ("--device", ""): "must be auto, cpu or cuda:N, got",
    ("--no-such-flag", "1"): "there is no option --no-such-flag",
    ("extra",): "there is nothing that 'extra' could mean",
}


def test_wrong_flags_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for flags, told in WRONG.items():
        with pytest.raises(SystemExit) as left:
            main(list(flags))
        assert left.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert told in line
        assert len(line) < 300
