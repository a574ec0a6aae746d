"""The web pages: the studies, their reports and Optuna's dashboard, behind one login."""

from pernodedrop.installation import need

need("service.dashboard", "service", "fastapi", "optuna_dashboard", "a2wsgi")

from service.dashboard.app import create_app

__all__ = ["create_app"]
