"""A webhook leads to no address of the inside, however it is written, unless the operator allows it."""

from collections.abc import Sequence
from ipaddress import ip_address

import httpx
import pytest

from service.webhooks import addresses, sending
from service.webhooks.addresses import AddressRefused, checked_url
from service.webhooks.allowed import NOTHING, Allowed, is_internal
from tests.webhooks.receiving import Receiver

INSIDE = (
    *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("168.63.129.16", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00:ec2::254", "::ffff:10.0.0.1"),
    *("::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::127.0.0.1", "ff02::1"),
    *("192.0.0.192", "192.88.99.1", "fec0::1", "feff::1", "64:ff9b:1::7f00:1", "3fff::1", "5f00::1"),
)
OUTSIDE = ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_of_the_inside_is_known(address: str) -> None:
    assert is_internal(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_outside_is_none(address: str) -> None:
    assert not is_internal(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://localhost/"),
        *("http://[::1]/", "http://[::ffff:127.0.0.1]:80/", "http://0/", "http://169.254.169.254/latest/meta-data"),
        *("ftp://example.org/", "file:///etc/passwd", "http://user:secret@example.org/", "https://example.org/#part"),
        *("https://", "example.org", "http://example.org:0/", "http://example.org:99999/", "http://a b/"),
    ],
)
def test_such_a_url_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        checked_url(url, NOTHING)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_refusal_names_what_allows_the_address(api: httpx.Client) -> None:
    refused = api.post("/v1/webhooks", json={"url": "http://127.0.0.2/"})
    assert (refused.status_code, refused.json()["error"]) == (422, "address_refused")
    assert "PERNODEDROP_WEBHOOK_ALLOW=127.0.0.2" in refused.json()["message"]


def test_what_the_operator_allows_is_admitted() -> None:
    allowed = Allowed.parse("10.0.0.0/8, hooks.lab, ::1")
    assert allowed.admits("any", ip_address("10.2.3.4"))
    assert allowed.admits("any", ip_address("::ffff:10.2.3.4"))
    assert allowed.admits("HOOKS.lab.", ip_address("192.168.0.1"))
    assert not allowed.admits("any", ip_address("192.168.0.1"))
    assert not allowed.admits("hooks.lab.org", ip_address("192.168.0.1"))
    for wrong in ("10.0.0.1/8", "a b", "300.1.1.1", "*"):
        with pytest.raises(ValueError, match="PERNODEDROP_WEBHOOK_ALLOW must list"):
            Allowed.parse(wrong)


def test_a_name_is_resolved_once_and_one_bad_address_of_it_is_enough(
    here: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hostile name server answers differently every time."""
    port = int(httpx.URL(here.url).port or 0)
    asked: list[str] = []

    def resolves_to(*answers: Sequence[str]) -> None:
        def answered(host: str, _: int) -> Sequence[str]:
            asked.append(host)
            return answers[min(len(asked), len(answers)) - 1]

        asked.clear()
        monkeypatch.setattr(addresses, "_addresses", answered)

    resolves_to(["8.8.8.8", "10.0.0.1"])
    refused = sending.send(f"http://evil.example:{port}/hook", {}, b"{}", NOTHING)
    assert "evil.example is 10.0.0.1, an address of the inside" in str(refused.error)
    resolves_to(["127.0.0.1"], ["10.0.0.1"])
    sent = sending.send(f"http://once.example:{port}/hook", {"webhook-id": "x"}, b"{}", Allowed.parse("127.0.0.1"))
    assert (sent.status, asked) == (204, ["once.example"])
    assert here.received[0].headers["host"] == f"once.example:{port}"
