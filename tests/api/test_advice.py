"""A submission says what its lag and its precision mean for the workers that are there."""

import pytest

from search_spaces import parse_definition
from service.storage.fleet.devices import named
from service.web.advice import advice
from tests.search_spaces.studies import raw


def said(lag: int | None, workers: int) -> list[str]:
    sampler = {"name": "tpe", **({} if lag is None else {"lag": lag})}
    return list(advice(parse_definition(raw(sampler=sampler)), ["cpu"] * workers))


@pytest.mark.parametrize(("lag", "workers"), [(None, 8), (8, 0), (8, 1), (1, 1), (8, 4), (16, 8)])
def test_a_lag_that_keeps_the_fleet_busy_needs_no_word(lag: int | None, workers: int) -> None:
    assert said(lag, workers) == []


def test_a_short_lag_names_the_workers_that_wait_and_the_lag_that_would_not() -> None:
    assert said(4, 8) == [
        "sampler.lag 4 lets 5 runs be trained at once: of the 8 workers that are there, 3 will wait. "
        "A lag of 16, twice the workers, keeps them busy"
    ]
    assert said(8, 8) == [
        "sampler.lag 8 lets 9 runs be trained at once: the 8 workers that are there will wait where one run is much "
        "longer than others. A lag of 16, twice the workers, keeps them busy"
    ]


@pytest.mark.parametrize("devices", [[], ["cpu"], ["cuda:0"], ["cpu, without bfloat16", "cuda:0"]])
def test_bfloat16_needs_no_word_where_a_worker_has_it_or_none_is_known(devices: list[str]) -> None:
    assert in_bfloat16(devices) == []


def test_bfloat16_that_all_workers_emulate_is_named() -> None:
    slow = named("cpu", has_bfloat16=False)
    (sentence,) = in_bfloat16([slow, slow])
    assert sentence.startswith("task.precision bfloat16: no worker that is there has a processor with instructions")
    assert list(advice(parse_definition(raw(sampler={"name": "tpe"})), [slow])) == []


def in_bfloat16(devices: list[str]) -> list[str]:
    definition = raw(sampler={"name": "tpe"})
    definition["task"] = {**definition["task"], "precision": "bfloat16"}
    return list(advice(parse_definition(definition), devices))
