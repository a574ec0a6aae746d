import gc
import sys

from pernodedrop import door

door.open_door()  # before anything else is imported

from pernodedrop.visible import escape_the_rest  # noqa: E402
from service.cli.entry import main  # noqa: E402

escape_the_rest()
code = door.through(main)
gc.freeze()  # or Python looks for garbage at its end, which takes longer than some commands
sys.exit(code)
