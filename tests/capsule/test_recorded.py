"""A recording of a study's capsule has the curves that the study's workers have trained."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.recording import main, read
from search_spaces import parse_definition
from service.reports.capsule import capsule_of
from service.storage.database.database import Database
from service.storage.studies import studies
from service.web.report import results_of
from tests.capsule.repacking import changed, with_json
from tests.search_spaces.test_recordings import SMALL, content_of, record
from workers.runs.agent import Options
from workers.slots import Slots


def test_a_capsule_and_its_definition_give_the_same_recording(db: Database, tmp_path: Path) -> None:
    studies.create(db, parse_definition(SMALL))
    Slots(db, Options(data_folder=tmp_path, device="cpu", poll=0.05, exit_when_idle=True)).run()
    capsule, into = tmp_path / "small.zip", tmp_path / "of_capsule.json.gz"
    capsule.write_bytes(capsule_of(results_of(db, studies.get(db, "small"), whole=True)))
    main([str(capsule), "--into", str(into)])
    trained = content_of(record(tmp_path, SMALL))
    packed = content_of(into)
    assert packed["curves"].keys() == trained["curves"].keys()
    for key, of_seeds in trained["curves"].items():
        for one, other in zip(packed["curves"][key], of_seeds, strict=True):
            assert one == pytest.approx(other, rel=1e-4)  # threads may add up in another order
    for name, dimension in trained["study"]["search_space"].items():
        assert dimension.items() <= packed["study"]["search_space"][name].items()  # which has the defaults, too
    assert [each["data"] for each in packed["provenance"]] == [each["data"] for each in trained["provenance"]]
    assert read(capsule)[1].keys() == read(into)[1].keys()

    def failed(told: Any) -> None:
        told["runs"][0]["state"] = "failed"

    with pytest.raises(
        SystemExit, match=r"small: 1 have no complete run, dropout\|0\.\d\|\d+ is one: finish the study$"
    ):
        main([str(changed(capsule, with_json("runs.json", failed))), "--into", str(into)])


def test_a_study_without_a_grid_is_refused(capsule: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"packed: the sampler must be grid, got random$"):
        main([str(capsule), "--into", str(tmp_path / "none.json")])
