"""A SLURM of one node in a private folder: munge, slurmctld and slurmd of Debian's packages. Nothing is installed."""

import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.containers.commands import CommandFailed, OutOfReach, fetching, run
from tests.containers.debian import Apt

PACKAGES = ["slurmctld", "slurmd", "slurm-client", "munge"]
START_S = 30.0
TASKS = 8  # that share the node's cores

CONFIGURATION = """\
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={controller}
SlurmdPort={node}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
PluginDir={plugins}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=30
SchedulerParameters=batch_sched_delay=0,sched_interval=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:{tasks}
"""


class Cluster:
    """The running cluster's commands."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment

    def sbatch(self, script: Path, *options: str) -> str:
        """Submit a batch script; return the job's number."""
        return run(["sbatch", "--parsable", *options, script], self.environment).strip()

    def scontrol(self, *arguments: str) -> str:
        return run(["scontrol", *arguments], self.environment)

    def scancel(self, job: str) -> None:
        run(["scancel", job], self.environment)

    def jobs(self) -> dict[str, str]:
        """The state of every job that waits, runs or completes, by array and task: "7_1"."""
        lines = run(["squeue", "--noheader", "--array", "--format", "%F_%K %T"], self.environment).splitlines()
        return dict(line.split() for line in lines if line.strip())


@contextmanager
def private_cluster(cache: Path, folder: Path, ports: tuple[int, int]) -> Iterator[Cluster]:
    """Start the three servers and stop them.

    Raises:
        OutOfReach: there are no packages to be had here, the user is not root, or a server does not start.
    """
    if os.geteuid():
        raise OutOfReach("SLURM's servers take root")
    environment = _environment(_programs(cache), folder)
    _configure(cache, folder, ports)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    stepd = cache / "root/usr/sbin/slurmstepd-wlm"
    try:
        run(
            ["munged", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
             f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/seed"],
            environment,
        )  # fmt: skip
        run(["slurmctld-wlm", "-f", folder / "slurm.conf"], environment)
        run(["slurmd-wlm", "-f", folder / "slurm.conf", "-d", stepd], environment)
        _wait_until_idle(environment)
        yield Cluster(folder, environment)
    except CommandFailed as error:
        raise OutOfReach(f"SLURM does not start here: {str(error).splitlines()[-1]}") from error
    finally:
        for name in ("slurmd", "slurmctld", "munged"):
            _stop(folder / f"{name}.pid")


def _programs(cache: Path) -> Path:
    """The folder that the packages are unpacked in, fetched once."""
    programs = cache / "root"
    if programs.is_dir():
        return programs
    scratch = cache / "partial"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    if shutil.which("apt-get") is None:
        raise OutOfReach("SLURM's packages come by apt-get, which is not here")
    with fetching("SLURM's packages"):
        apt = Apt(cache / "apt")
        apt.run("update")
        apt.run("install", "--yes", "--no-install-recommends", "--download-only", *PACKAGES)
        apt.unpack(scratch)
    scratch.rename(programs)
    return programs


def _environment(programs: Path, folder: Path) -> dict[str, str]:
    libraries = next((programs / "usr/lib").glob("*-linux-gnu"))
    return {
        "HOME": str(folder),
        "PATH": os.pathsep.join([str(programs / "usr/sbin"), str(programs / "usr/bin"), os.environ["PATH"]]),
        "LD_LIBRARY_PATH": f"{libraries}:{libraries / 'slurm-wlm'}",
        "SLURM_CONF": str(folder / "slurm.conf"),
    }


def _configure(cache: Path, folder: Path, ports: tuple[int, int]) -> None:
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    text = CONFIGURATION.format(
        host=socket.gethostname().partition(".")[0], folder=folder, controller=ports[0], node=ports[1],
        plugins=next((cache / "root/usr/lib").glob("*-linux-gnu/slurm-wlm")), cores=os.cpu_count(), tasks=TASKS,
    )  # fmt: skip
    (folder / "slurm.conf").write_text(text)


def _wait_until_idle(environment: dict[str, str]) -> None:
    until = time.monotonic() + START_S
    while run(["sinfo", "--noheader", "--format", "%T"], environment).strip() != "idle":
        if time.monotonic() > until:
            raise OutOfReach(f"SLURM's node is not idle after {START_S:g} s")
        time.sleep(0.5)


def _stop(pid_file: Path) -> None:
    try:
        pid = int(pid_file.read_text())
        os.kill(pid, 15)
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            os.kill(pid, 0)
            time.sleep(0.1)
        os.kill(pid, 9)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return
