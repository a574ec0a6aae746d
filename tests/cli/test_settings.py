import os
from pathlib import Path

import pytest

from service.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_environment({"PERNODEDROP_API_KEY": "", "DATABASE_URL": " ", "XDG_DATA_HOME": "/x"})
    assert settings.home == Path("/var/lib/pernodedrop" if os.geteuid() == 0 else "/x/pernodedrop")
    assert settings.data_folder == settings.home / "data"
    assert (settings.database_url, settings.api_key, settings.host) == (None, None, "127.0.0.1")
    assert (settings.url, settings.dashboard_url) == ("http://127.0.0.1:8000", "http://127.0.0.1:8080")


def test_variables_are_taken_as_they_are_meant() -> None:
    settings = Settings.from_environment(
        {
            "PERNODEDROP_HOME": "~/studies",
            "PERNODEDROP_DATA": "data",
            "PERNODEDROP_URL": "https://tuning.example/",
            "PERNODEDROP_API_KEY": " ein Schlüssel ",
        }
    )
    assert settings.home == Path.home() / "studies"
    assert settings.data_folder == Path.cwd() / "data"
    assert settings.url == "https://tuning.example"
    assert settings.api_key == "ein Schlüssel"


def test_secrets_are_not_shown() -> None:
    shown = repr(
        Settings.from_environment({"PERNODEDROP_API_KEY": "secret-1", "DATABASE_URL": "postgresql://u:secret-2@h/d"})
    )
    assert "secret" not in shown


def test_a_key_of_several_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="PERNODEDROP_API_KEY must be printable") as caught:
        Settings.from_environment({"PERNODEDROP_API_KEY": "one\ntwo"})
    assert "one" not in str(caught.value)
