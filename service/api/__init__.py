"""The controller: the REST API under `/v1`."""

from pernodedrop.installation import need

need("service.api", "service", "fastapi", "uvicorn")
