import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from service.settings import Settings
from tests.cli.another_process import in_another_process


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


def test_a_folder_in_no_known_home_is_refused_with_the_remedy(tmp_path: Path) -> None:
    refusals = {
        "~nobody-of-this-name/x": "PERNODEDROP_HOME cannot be ~nobody-of-this-name/x: no home folder is known for it, "
        "so write a path without ~",
    }
    for text, refusal in refusals.items():
        with pytest.raises(ValueError, match=f"^{refusal}$"):
            Settings.from_environment({"PERNODEDROP_HOME": text})
    for address in ("http://host/path?query=1", "http://host/path#part", "http://host/?"):
        with pytest.raises(ValueError, match="PERNODEDROP_URL must be an address"):
            Settings.from_environment({"PERNODEDROP_URL": address})


def test_a_nameless_account_without_home_and_a_lost_folder_are_told_in_a_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    def nameless() -> str:
        os.environ.pop("HOME")
        if os.geteuid() == 0:
            os.setuid(4711)
        return refusal_of({})

    def lost() -> str:
        os.chdir(gone)
        gone.rmdir()
        return refusal_of({"PERNODEDROP_HOME": "here"})

    if os.geteuid() == 0:
        assert in_another_process(nameless) == (
            "PERNODEDROP_HOME cannot be ~/.local/share/pernodedrop: no home folder is known for it, so write a path "
            "without ~"
        )
    assert in_another_process(lost).startswith("PERNODEDROP_HOME cannot be here: the folder that it is relative to")


def refusal_of(environment: Mapping[str, str]) -> str:
    try:
        Settings.from_environment(environment)
    except ValueError as error:
        return str(error)
    return "taken"
