import time

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    chaos = parser.getgroup("chaos", "faults injected into a real fleet")
    chaos.addoption("--chaos-minutes", type=float, default=5.0, help="length of the schedule and of what follows it")
    chaos.addoption("--chaos-seed", type=int, default=int(time.time()) % 100_000, help="seed of the schedule")
    chaos.addoption("--chaos-workers", type=int, default=8)
    chaos.addoption("--chaos-table", help="a file for the tables, in Markdown")
