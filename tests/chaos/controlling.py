"""The command line with leases of own loops as short as those of the workers under test."""

import sys

from service.storage.assignments import asked, own_loop
from tests.chaos.schedule import LEASE_S

if __name__ == "__main__":
    own_loop.LEASE_S = asked.LEASE_S = LEASE_S
    from service.cli.entry import main

    sys.exit(main())
