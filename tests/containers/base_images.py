"""Stand-ins for the base images where no registry can be reached: the same names, made of Debian and local wheels."""

import hashlib
import shutil
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .commands import fetching, run
from .debian import bootstrap
from .engine import Engine

REPOSITORY = Path(__file__).parents[2]
RECIPES = Path(__file__).parent / "stand_ins"
PYTHON_IMAGE = "python:3.11-slim"
PYTHON_VERSION = "3.11"  # bookworm's
POSTGRES_IMAGE = "postgres:17"

# The suite and packages under each stand-in's Dockerfile.
ROOTS = {
    "pernodedrop-stand-in/bookworm": ("bookworm", ["ca-certificates", "python3", "python3-pip"]),
    "pernodedrop-stand-in/trixie": ("trixie", ["postgresql-17"]),
}
NOT_IMPORTED = ("./dev/*", "./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*")


def make_base_images(engine: Engine, programs: Path, mirror: str, cache: Path) -> None:
    """Give `engine` the images that the compose file and the Dockerfile start from.

    Raises:
        OutOfReach: the mirror or the package index cannot be reached.
    """
    with ThreadPoolExecutor() as pool:
        steps = [pool.submit(_make_root, engine, programs, mirror, image, cache) for image in ROOTS]
        wheels = pool.submit(_fetch_wheels, cache)
        for step in steps:
            step.result()
    _forget_other_wheels(engine, cache, wheels.result())
    engine.docker("build", "--quiet", "--tag", POSTGRES_IMAGE, RECIPES / "postgres")
    engine.docker("build", "--quiet", "--tag", PYTHON_IMAGE, "--file", RECIPES / "python/Dockerfile", wheels.result())


def _make_root(engine: Engine, programs: Path, mirror: str, image: str, cache: Path) -> None:
    if engine.has_image(image):
        return
    suite, packages = ROOTS[image]
    folder = cache / suite
    shutil.rmtree(folder, ignore_errors=True)
    bootstrap(programs, mirror, suite, packages, folder)
    archive = cache / f"{suite}.tar"
    run(["tar", "--create", "--file", archive, "-C", folder, *(f"--exclude={name}" for name in NOT_IMPORTED), "."])
    engine.docker("import", archive, image)
    archive.unlink()
    shutil.rmtree(folder)


def _fetch_wheels(cache: Path) -> Path:
    """The folder with every wheel the images install, from wherever this machine's pip takes them."""
    needed = run([sys.executable, REPOSITORY / "docker/requirements", "layers", "all"]).splitlines()
    wanted = needed + tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["build-system"]["requires"]
    constraints = REPOSITORY / "constraints.txt"
    key = hashlib.sha256(constraints.read_bytes() + "\n".join(wanted).encode()).hexdigest()[:16]
    folder = cache / f"wheels-{key}"
    if folder.exists():
        return folder
    partial = cache / f"wheels-{key}.partial"
    choice = ["--only-binary=:all:", f"--python-version={PYTHON_VERSION}", f"--constraint={constraints}"]
    with fetching("the images' wheels"):
        run([sys.executable, "-m", "pip", "download", "--quiet", *choice, "--dest", partial / "wheels", *wanted])
    partial.rename(folder)
    return folder


def _forget_other_wheels(engine: Engine, cache: Path, current: Path) -> None:
    """Other dependencies were tested before: neither their wheels nor the layers made of them are of use again."""
    stale = [folder for folder in cache.glob("wheels-*") if folder != current]
    for folder in stale:
        shutil.rmtree(folder)
    if stale:
        engine.docker("builder", "prune", "--all", "--force")
        engine.docker("image", "prune", "--force")
