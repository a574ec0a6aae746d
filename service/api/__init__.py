"""The controller: studies in, answers out, under `/v1`."""

from pernodedrop.installation import need

need("service.api", "service", "fastapi", "uvicorn")
