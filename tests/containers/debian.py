"""Debian's programs and root file systems in a folder of our own: nothing is installed on this machine."""

import os
import shutil
from pathlib import Path

from .commands import OutOfReach, fetching, run

# The suite that carries Docker's compose and buildx plugins; they need no newer C library than the one before.
PLUGINS_SUITE = "trixie"
ENGINE = ["docker.io", "iptables", "iproute2", "debootstrap"]
PLUGINS = ["docker-compose", "docker-buildx"]
PLUGINS_FOLDER = Path("usr/libexec/docker/cli-plugins")


class Apt:
    """This machine's apt with lists and packages in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._options = [
            f"-oDir::State::Lists={folder / 'lists'}",
            f"-oDir::Cache={folder / 'cache'}",
            "-oAPT::Sandbox::User=root",
        ]

    def use_only(self, mirror: str, suite: str) -> None:
        """Read one suite of one mirror instead of what this machine reads."""
        sources = self.folder / "sources.list"
        sources.write_text(f"deb {mirror} {suite} main\n")
        self._options += [f"-oDir::Etc::SourceList={sources}", "-oDir::Etc::SourceParts=/dev/null"]

    def run(self, *arguments: str) -> str:
        """Run apt-get with our folders."""
        return run(["apt-get", *self._options, *arguments], folder=self.folder)

    def mirror(self) -> str:
        """Where this machine takes Debian from."""
        targets = self.run(
            "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", "Origin: Debian", "Component: main"
        )
        if not targets:
            raise OutOfReach("apt reads no Debian mirror here")
        return targets.split()[0]

    def unpack(self, target: Path) -> None:
        """Unpack every package that was fetched."""
        for package in sorted(self.folder.glob("**/*.deb")):
            run(["dpkg-deb", "--extract", package, target])


def fetch_programs(target: Path) -> str:
    """Unpack Docker's engine, its plugins and debootstrap under `target`; return the mirror they came from.

    Raises:
        OutOfReach: apt has no Debian mirror, or the mirror cannot be reached or lacks a package.
    """
    scratch = target.with_name(f"{target.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    programs = scratch / "root"
    programs.mkdir(parents=True)

    with fetching("Docker's packages"):
        here = Apt(scratch / "here")
        here.run("update")
        mirror = here.mirror()
        here.run("install", "--yes", "--no-install-recommends", "--download-only", *ENGINE)
        here.unpack(programs)

        plugins = Apt(scratch / "plugins")
        plugins.use_only(mirror, PLUGINS_SUITE)
        plugins.run("update")
        plugins.run("download", *PLUGINS)
        plugins.unpack(programs)

    _choose_iptables(programs / "usr/sbin")
    (programs / "mirror").write_text(mirror)
    shutil.rmtree(target, ignore_errors=True)
    programs.rename(target)
    shutil.rmtree(scratch)
    return mirror


def _choose_iptables(folder: Path) -> None:
    """What update-alternatives does on installation: the plain names mean the nftables variant."""
    for family in ("iptables", "ip6tables"):
        for action in ("", "-save", "-restore"):
            link = folder / f"{family}{action}"
            if not link.exists():
                link.symlink_to("xtables-nft-multi")


def programs_environment(programs: Path) -> dict[str, str]:
    """The environment in which the unpacked programs find each other and their libraries."""
    libraries = next((programs / "usr/lib").glob("*-linux-gnu"), programs / "usr/lib")
    folders = [programs / "usr/sbin", programs / "usr/bin", programs / "sbin", programs / "bin"]
    return {
        "HOME": os.environ.get("HOME", "/root"),
        "PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]]),
        "LD_LIBRARY_PATH": str(libraries),
        "XTABLES_LIBDIR": str(libraries / "xtables"),
        "DEBOOTSTRAP_DIR": str(programs / "usr/share/debootstrap"),
    }


def bootstrap(programs: Path, mirror: str, suite: str, packages: list[str], target: Path) -> None:
    """Make a minimal Debian root file system with `packages` under `target`.

    Raises:
        OutOfReach: the mirror cannot be reached, or lacks the suite or a package.
    """
    include = f"--include={','.join(packages)}"
    with fetching(f"Debian {suite}"):
        run(["debootstrap", "--variant=minbase", include, suite, target, mirror], programs_environment(programs))
