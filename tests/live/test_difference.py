"""Changes: applied to the old state they give the new one, and a page that missed some gets them or everything."""

import json
import random
from typing import Any

import pytest

from service.dashboard.study.live.channel import KEPT_BYTES, Channel
from service.dashboard.study.live.difference import changed, difference


@pytest.mark.parametrize("seed", range(20))
def test_a_change_makes_the_new_state_of_the_old_one(seed: int) -> None:
    rng = random.Random(seed)

    def some() -> dict[str, Any]:
        names = rng.sample(["study", "run:1", "curve:1", "curve:2", "curve:3", "others"], rng.randrange(7))
        return {name: list(range(rng.randrange(4))) if ":" in name else rng.randrange(3) for name in names}

    state = some()
    for _ in range(30):
        new = some()
        assert changed(state, difference(state, new)) == new
        state = new


def test_a_curve_that_grows_sends_its_end_alone() -> None:
    assert difference({"curve:1": [1, 2], "a": 1}, {"curve:1": [1, 2, 3], "a": 1}) == {"more": {"curve:1": [3]}}
    assert difference({"curve:1": [1, 2]}, {"curve:1": [9, 2, 3]}) == {"set": {"curve:1": [9, 2, 3]}}
    assert difference({"curve:1": [1, 2]}, {}) == {"gone": ["curve:1"]}
    assert difference({"a": [1]}, {"a": [1]}) == {}


def test_a_page_gets_the_changes_that_it_missed_and_else_everything() -> None:
    channel = Channel()
    states = [{"a": number, "b": 0} for number in range(5)]
    for state in states:
        channel.publish(state)
    [whole] = channel.since(0)
    assert _data(whole) == states[-1]
    known = states[1]
    for change in channel.since(2):
        known = changed(known, _data(change))
    assert known == states[-1]
    assert channel.since(channel.version) == []
    channel.publish(states[-1])  # nothing new
    assert channel.version == 5


def test_what_is_kept_for_pages_that_come_back_is_bounded() -> None:
    channel = Channel()
    for number in range(100):
        channel.publish({"a": f"{number:08}" * 1000})
    assert sum(map(len, channel._changes)) <= KEPT_BYTES
    assert len(channel.since(1)) == 1
    assert len(channel.since(99)) == 1


def test_a_number_of_another_channel_is_not_taken_for_ours() -> None:
    one, other = Channel(), Channel()
    for channel in (one, other):
        channel.publish({"a": 1})
    number = one.since(0)[0].decode().partition("\n")[0].removeprefix("id: ")
    assert one.known_to(number) == 1
    assert other.known_to(number) == 0
    for nonsense in ("", "-", f"{number}9", number.replace("-1", "-²"), "x" * 5000, f"{number.partition('-')[0]}--1"):
        assert one.known_to(nonsense) == 0


def test_no_text_ends_an_event_before_its_end() -> None:
    channel = Channel()
    text = "a\n\nevent: end\ndata: {}\n\n\r\u2028"
    channel.publish({"a": text})
    [whole] = channel.since(0)
    assert whole.count(b"\n") == 4
    assert _data(whole) == {"a": text}


def _data(event: bytes) -> Any:
    return json.loads(event.decode().partition("data: ")[2])
