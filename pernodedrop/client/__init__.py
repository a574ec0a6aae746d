"""The Python client of the controller: submit a study, wait for it, read what it found, and train its runs yourself.

It needs httpx and no torch; `pip install 'pernodedrop[client]'` brings it. Tables need pandas (`pernodedrop[frames]`).
"""

from pernodedrop.installation import need

need("client", "client", "httpx")

from pernodedrop.client.awaited import AsyncStudy
from pernodedrop.client.client import AsyncClient, Client
from pernodedrop.client.errors import Away, LeaseLost, Refused, Unreachable
from pernodedrop.client.study import Study
from pernodedrop.client.training import AsyncTraining, Training
from pernodedrop.client.weights import NotWhole

__all__ = [
    "AsyncClient",
    "AsyncStudy",
    "AsyncTraining",
    "Away",
    "Client",
    "LeaseLost",
    "NotWhole",
    "Refused",
    "Study",
    "Training",
    "Unreachable",
]
