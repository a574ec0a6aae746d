"""The pages for people: the studies, their reports and Optuna's dashboard, behind one login."""

from service.dashboard.app import create_app

__all__ = ["create_app"]
