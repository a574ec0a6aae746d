"""The workers as cards: one for each host, with its devices, and what each worker does."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from starlette.requests import Request

from service.calling import as_called
from service.dashboard.orders import buttons
from service.reports.markup import Html, element, with_commands
from service.reports.words.wording import duration, plural, size
from service.storage.fleet.members import HeldSlots, Member, Training
from service.storage.fleet.queue import Queue, Standing
from service.storage.states import Stage


def hosts(request: Request, members: Sequence[Member], slots: Sequence[HeldSlots], queue: Queue) -> Html:
    """A card for each host; one that says how to begin where there is none."""
    if not members:
        said = as_called("No worker is alive: start one with `pernodedrop worker`.")
        return element("section", element("p", with_commands(said)), class_="card empty")
    free = why_free(queue)
    cards = [
        _host(request, host, list(here), [held for held in slots if held.host == host], free)
        for host, here in groupby(members, key=lambda one: one.host)
    ]
    return element("div", *cards, class_="hosts")


def why_free(queue: Queue) -> str:
    """Why a worker of the fleet that trains nothing has nothing to train."""
    standings = {study.standing for study in queue.studies}
    if Standing.NEXT in standings:
        return "takes a run at its next look"
    for standing, reason in (
        (
            Standing.HELD_UP,
            "waits for runs that others follow: a search has a lag, or trials that are paused at a rung",
        ),
        (Standing.ALL_TRAINING, "no run waits: all that are left are in training"),
        (Standing.PAUSED, "what waits is paused"),
        (Standing.ENDING, "the studies in the queue begin no further run"),
        (Standing.OWN_LOOP, "what waits is an own loop's"),
    ):
        if standing in standings:
            return reason
    return "the queue is empty"


def _host(request: Request, host: str, members: Sequence[Member], slots: Sequence[HeldSlots], free: str) -> Html:
    """The host's devices as its workers name them; a GPU's slots are known by its UUID, which stands beside."""
    parts: list[Html] = []
    for device, there in groupby(members, key=lambda one: one.device):
        on_it = list(there)
        model = next((one.training.device for one in on_it if one.training and one.training.device), None)
        what = "asker" if on_it[0].serves is not None else "worker"
        named = device if model in (None, device) else f"{device} ({model})"
        parts.append(element("h3", f"{named}: {plural(len(on_it), what)}"))
        parts += _memory(on_it)
        parts.append(element("ul", *(_worker(request, one, free) for one in on_it), class_="workers"))
    held = [element("p", f"{one.device}: {plural(one.slots, 'slot')} held", class_="quiet") for one in slots]
    return element("section", element("h2", host), *parts, *held, class_="card host")


def _worker(request: Request, worker: Member, free: str) -> Html:
    state, why = _state(worker, free)
    since = duration(worker.silent_s)
    return element(
        "li",
        element("span", element("span", state, class_=f"pill {state.split()[0]}"), f" process {worker.pid}"),
        element("span", f"seen {since} ago", class_="quiet"),
        element("span", _doing(worker.training, datetime.now(UTC)) if worker.training else why, class_="what"),
        buttons.drain_button(request, worker) or element("span"),
        element("span", why, class_="quiet") if worker.training and why else None,
        element("span", f"holds {size(worker.memory.held)}", class_="quiet whole")
        if worker.memory is not None and worker.memory.held is not None
        else None,
        _progress(worker.training) if worker.training else None,
    )


def _memory(on_it: Sequence[Member]) -> list[Html]:
    """The device's memory as the worker heard last has said it; nothing where none has."""
    heard = [one for one in on_it if one.memory is not None]
    if not heard:
        return []
    memory = min(heard, key=lambda one: one.silent_s).memory
    if memory is None or memory.total <= 0:
        return []
    share = min(1.0, memory.used / memory.total)
    said = f"memory {size(memory.used)} of {size(memory.total)} in use, {share:.0%}"
    bar = element("rect", x="0", y="0", width=f"{share:.3f}", height="1", class_="memory")
    title = element("title", said)
    drawn = element("svg", title, bar, viewBox="0 0 1 1", preserveAspectRatio="none", class_="bar small", role="img")
    return [element("p", said, class_="quiet"), drawn]


def _state(worker: Member, free: str) -> tuple[str, str]:
    """The worker's state in a word, and why, "" where its run says it."""
    if worker.is_silent:
        lost = "; its run is taken over when its lease ends" if worker.training else ""
        return "silent", f"it has left without a word, or cannot be heard{lost}"
    if worker.is_leaving:
        return "leaving", "it was asked to leave" + (": it hands its run back" if worker.training else "")
    if worker.training:
        return "busy", ""
    if worker.serves is not None:
        return "idle", f"asks for runs of {worker.serves}"
    return ("held up" if free.startswith("waits") else "idle"), free


def _doing(training: Training, now: datetime) -> Html:
    """What it trains, with a link to the study, and to the trial where there is a page of it."""
    below = f"studies/{training.study}"
    if training.stage is Stage.CONFIRMATION:
        run: Html = element("span", "confirmation")
    elif training.trial is None:
        run = element("span", "about to begin")
    else:
        run = element("a", f"trial {training.trial}", href=f"{below}/trials/{training.trial}")
    for_s = (now - training.since).total_seconds()
    return element(
        "span",
        element("a", training.study, href=below),
        ", ",
        run,
        f", epoch {training.epoch} of {training.epochs}, for {duration(max(0.0, for_s))}",
    )


def _progress(training: Training) -> Html:
    done, of = str(min(training.epoch, training.epochs)), str(max(1, training.epochs))
    bar = element("rect", x="0", y="0", width=done, height="1", class_="running")
    title = element("title", f"epoch {done} of {of}")
    return element("svg", title, bar, viewBox=f"0 0 {of} 1", preserveAspectRatio="none", class_="bar small", role="img")
