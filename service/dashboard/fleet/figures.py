"""The fleet in a few numbers."""

from collections import Counter
from collections.abc import Sequence

from service.reports.markup import Html, element
from service.reports.words.wording import number
from service.storage.fleet.members import Member
from service.storage.fleet.queue import Queue


def figures(members: Sequence[Member], queue: Queue) -> Html:
    """How many workers there are and what they do, and what waits."""
    of_fleet = [member for member in members if member.serves is None]
    states = Counter("silent" if one.is_silent else "training" if one.training else "free" for one in of_fleet)
    shown = {
        "workers": len(of_fleet) - states["silent"],
        "training": states["training"],
        "free": states["free"],
        **({"silent": states["silent"]} if states["silent"] else {}),
        **({"own loops' askers": len(members) - len(of_fleet)} if len(members) > len(of_fleet) else {}),
        "hosts": len({one.host for one in of_fleet if not one.is_silent}),
        "studies in the queue": queue.total,
        "runs that wait": queue.waiting,
    }
    return element(
        "div",
        *(
            element("div", element("span", number(much), class_="much"), element("span", of, class_="of"))
            for of, much in shown.items()
        ),
        class_="figures",
    )
