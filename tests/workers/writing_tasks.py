"""Tasks that write, and end in every way."""

import os
import signal
import subprocess
import sys
import time

from torch import nn

from search_spaces import TrialConfig
from tests.workers.own_tasks import Line

SECRET = "correct-horse-battery"


class Writing(Line):
    """Writes to both streams, by Python and by a program that it starts, and ends as its dimension `end` says."""

    def build(self, config: TrialConfig) -> nn.Module:
        print("loading", flush=False)
        print(f"postgresql://me:{SECRET}@host/db", os.environ.get("OWN_TOKEN"), file=sys.stderr)
        subprocess.run(["echo", "from a program"], check=True)
        sys.stdout.write("no end of line")
        match config.extra["end"]:
            case "raises":
                raise ValueError(f"no data at s3://key:{SECRET}@bucket")
            case "segfault":
                sys.stdout.flush()
                os.kill(os.getpid(), signal.SIGSEGV)
            case "much":
                for number in range(self.spec.options["lines"]):
                    print(f"line {number:06} \x1b[31m" + "x" * 200)
            case "waits":
                time.sleep(60)
        return super().build(config)
