"""A folder for all that one run needs; CHAOS_KEEP=1 keeps it, with the logs of every worker."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def ground() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="pernodedrop-chaos-"))
    made.chmod(0o755)  # the server runs as another user when the tests run as root
    try:
        yield made
    finally:
        if os.environ.get("CHAOS_KEEP"):
            print(f"logs are kept in {made}")
        else:
            shutil.rmtree(made)
