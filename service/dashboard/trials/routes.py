"""The pages of a study's runs, and of several studies side by side."""

from starlette.routing import BaseRoute, Route

from service.dashboard.trials import compare, lines, table, trial

ROUTES: list[BaseRoute] = [
    Route("/studies/{name}/trials", table.table),
    Route("/studies/{name}/trials.json", table.rows),
    Route("/studies/{name}/trials.csv", table.file),
    Route("/studies/{name}/lines.json", lines.lines),
    Route("/studies/{name}/trials/{number}", trial.search_trial),
    Route("/studies/{name}/confirmation/{number}", trial.confirmation_run),
    Route("/compare", compare.compare),
]
