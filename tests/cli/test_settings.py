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


def test_the_proxies_are_a_list_of_addresses_and_networks() -> None:
    settings = Settings.from_environment({"PERNODEDROP_TRUSTED_PROXIES": "10.0.0.5, 172.18.0.0/16,2001:db8::1"})
    assert settings.trusted_proxies == ("10.0.0.5", "172.18.0.0/16", "2001:db8::1")
    assert Settings.from_environment({}).trusted_proxies == ()


@pytest.mark.parametrize("text", ["*", "proxy.example.org", "10.0.0.5, *", "0.0.0.0/0", "::/0", "10.0.0.1/8"])
def test_not_everybody_can_be_a_proxy(text: str) -> None:
    with pytest.raises(ValueError, match=r"PERNODEDROP_TRUSTED_PROXIES must list the addresses or networks"):
        Settings.from_environment({"PERNODEDROP_TRUSTED_PROXIES": text})


def test_the_modules_of_own_tasks_are_a_list_or_all_or_none() -> None:
    def refused(text: str | None, task: str) -> bool:
        environment = {} if text is None else {"PERNODEDROP_TASK_MODULES": text}
        return Settings.from_environment(environment).task_modules.refusal(task) is not None

    for text in (None, "", " "):
        assert not refused(text, "anything.at.all:Task")
    assert refused("-", "mylab.tasks:Task")
    for task in ("mylab.tasks:Task", "mylab.tasks.small:Task", "other:Task", "digits"):
        assert not refused("mylab.tasks, other", task)
    for task in ("mylab:Task", "mylab.tasks2:Task", "others:Task", "os:system"):
        assert refused("mylab.tasks, other", task)
    with pytest.raises(ValueError, match=r"PERNODEDROP_TASK_MODULES must list modules such as .*, got 'my-lab'"):
        Settings.from_environment({"PERNODEDROP_TASK_MODULES": "my-lab"})
