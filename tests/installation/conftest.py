import pytest

from tests.installation.distributions import Distributions, built


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    return built(tmp_path_factory.mktemp("distributions"))
