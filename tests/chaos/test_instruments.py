"""The instruments themselves: a schedule that can be repeated, a network that fails as it is told."""

import select
import socket
import threading
from collections.abc import Iterator

import pytest

from service.ports import LOOPBACK
from tests.chaos.proxy import Network, Weather
from tests.chaos.schedule import DECK, schedule


def test_a_longer_schedule_of_a_seed_begins_with_the_shorter_and_knows_every_kind() -> None:
    short, long = schedule(7, 200, 8), schedule(7, 400, 8)
    assert long[: len(short)] == short
    assert {fault.kind for fault in long[: sum(DECK.values())]} == set(DECK)
    assert schedule(8, 200, 8) != short


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that answers everybody with what they say."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,)).start()

        def answer(connection: socket.socket) -> None:
            with connection:
                while data := _received(connection):
                    connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture
def network(echo: int) -> Iterator[Network]:
    with Network(echo, 2) as two:
        yield two


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(100)
    except ConnectionError:
        return b""


def _is_silent(connection: socket.socket) -> bool:
    return not select.select([connection], [], [], 0.3)[0]


def call(network: Network, link: int) -> socket.socket:
    connection = socket.create_connection((LOOPBACK, network.port(link)), timeout=30)
    connection.sendall(b"hello")
    return connection


def test_in_fair_weather_everything_passes(network: Network) -> None:
    with call(network, 0) as connection:
        assert connection.recv(100) == b"hello"


def test_what_was_said_in_a_stall_is_delivered_late_and_others_hear_at_once(network: Network) -> None:
    with call(network, 0) as connection, call(network, 1) as other:
        assert connection.recv(100) == b"hello"
        network.turn(Weather.STALL, 0)
        connection.sendall(b"again")
        assert _is_silent(connection)
        assert other.recv(100) == b"hello"
        network.turn(Weather.FAIR, 0)
        assert connection.recv(100) == b"again"


def test_swallowed_answers_never_come(network: Network) -> None:
    network.turn(Weather.SWALLOW)
    with call(network, 0) as connection:
        assert _is_silent(connection)
        network.turn(Weather.DOWN)
        assert _received(connection) == b""


def test_nobody_gets_through_while_the_network_is_down(network: Network) -> None:
    with call(network, 0) as before:
        assert before.recv(100) == b"hello"
        network.turn(Weather.DOWN)
        assert _received(before) == b""
    with socket.create_connection((LOOPBACK, network.port(0)), timeout=30) as during:
        assert _received(during) == b""
    network.turn(Weather.FAIR)
    with call(network, 0) as after:
        assert after.recv(100) == b"hello"
