"""The example of settings and the compose files say the same."""

import re
import subprocess
import sys

import pytest

from .base_images import REPOSITORY
from .fleet import COMPOSE_FILE, GPU_OVERLAY


def test_the_example_names_every_setting_and_sets_the_secrets_alone() -> None:
    files = COMPOSE_FILE.read_text() + GPU_OVERLAY.read_text()
    example = (REPOSITORY / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))
    assert named == set(re.findall(r"\$\{([A-Z_]+)", files))
    assert set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)) == {"PERNODEDROP_API_KEY", "POSTGRES_PASSWORD"}


def test_every_base_image_is_named_by_its_digest_and_everywhere_by_the_same() -> None:
    files = [COMPOSE_FILE, REPOSITORY / "Dockerfile", REPOSITORY / ".env.example"]
    text = "".join(file.read_text() for file in files)
    images = set(re.findall(r"(?:[a-z]+/)?(?:python|postgres|prometheus|grafana):v?[0-9][^\s}]*", text))
    names = {"python", "postgres", "prom/prometheus", "grafana/grafana"}
    assert {image.partition(":")[0] for image in images} == names
    assert len(images) == 4
    assert all(re.fullmatch(r"[a-z/]+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in images), images


@pytest.mark.parametrize("parts", ["service export", "layers worker", "layers all"])
def test_the_images_install_what_is_asked_for_at_the_pinned_versions_by_hash(parts: str) -> None:
    locked = locked_packages(f"{parts.replace(' ', '-')}.txt")
    pinned = dict(
        line.split("==") for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if "==" in line
    )
    pinned = {canonical(name): version for name, version in pinned.items()}
    assert {name: version for name, (version, _) in locked.items() if pinned.get(name, version) != version} == {}
    assert all(hashes for _, hashes in locked.values())
    script = [sys.executable, REPOSITORY / "docker/requirements", *parts.split()]
    wanted = subprocess.run(script, check=True, capture_output=True, text=True).stdout.splitlines()
    names = {canonical(re.split(r"[<>=\[; ]", line)[0]) for line in wanted}
    assert names - set(locked) == ({"torch"} if "layers" in parts else set())


def locked_packages(file: str) -> dict[str, tuple[str, list[str]]]:
    """Version and hashes of every package of a file in docker/locked."""
    text = (REPOSITORY / "docker/locked" / file).read_text().replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {canonical(line[0].split("==")[0]): (line[0].split("==")[1], line[1:]) for line in lines}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
