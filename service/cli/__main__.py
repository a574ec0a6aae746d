import sys

from pernodedrop.visible import escape_the_rest
from service.cli import main

escape_the_rest()
sys.exit(main())
