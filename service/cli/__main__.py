import sys

from pernodedrop import door

door.open_door()  # before anything else is imported

from pernodedrop.visible import escape_the_rest  # noqa: E402
from service.cli.entry import main  # noqa: E402

escape_the_rest()
sys.exit(door.through(main))
