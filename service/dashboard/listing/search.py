"""The form above the list, and what its fields say."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from service.reports.markup import Html, element
from service.storage.states import StudyState
from service.storage.studies.finding import LONGEST_TEXT, Sought

MOST_TAGS = 10
LAST_OFFSET = 2**31 - 1


@dataclass(frozen=True)
class View:
    """What the address of the list says: what is sought, and where the page begins."""

    sought: Sought
    offset: int

    def address(self, offset: int = 0, without_tag: str | None = None, tag: str | None = None) -> str:
        """The list with the same search, from this place on, without a tag or with one more."""
        tags = [one for one in self.sought.tags if one != without_tag]
        tags += [tag] if tag is not None and tag not in tags else []
        said = [("q", self.sought.text), *(("tag", one) for one in tags), ("state", self.sought.state or "")]
        said.append(("offset", str(offset) if offset else ""))
        query = urlencode([(name, value) for name, value in said if value])
        return f"studies?{query}" if query else "studies"


def view_of(query: QueryParams) -> View:
    """What the query says; a state that there is none of, and a number that is none, count as not given."""
    text = query.get("q", "").replace("\0", "").strip()[:LONGEST_TEXT]
    sought = [tag[:LONGEST_TEXT] for tag in query.getlist("tag") if tag and "\0" not in tag]
    tags = tuple(dict.fromkeys(sought))[:MOST_TAGS]
    state = next((one for one in StudyState if one == query.get("state")), None)
    return View(Sought(text, tags, state), _offset(query.get("offset", "0")))


def search_form(view: View, tags: list[str]) -> Html:
    """The form, with the tags that are sought as links that drop them."""
    sought = view.sought
    states = [element("option", "any state", value="")]
    states += [element("option", one, value=one, selected=one is sought.state) for one in StudyState]
    others = [element("option", value=tag) for tag in tags]
    dropping = [
        element(
            "a",
            f"{tag} ×",
            href=view.address(without_tag=tag),
            class_="tag sought",
            aria_label=f"without the tag {tag}",
        )
        for tag in sought.tags
    ]
    is_sought = sought != Sought()
    return element(
        "form",
        element("label", "Search", for_="q", class_="unseen"),
        element(
            "input",
            id="q",
            name="q",
            type="search",
            value=sought.text,
            placeholder="Name, description or note",
            maxlength=str(LONGEST_TEXT),
        ),
        element("label", "State", for_="state", class_="unseen"),
        element("select", *states, id="state", name="state"),
        element("label", "Tag", for_="tag", class_="unseen"),
        element("input", id="tag", name="tag", list="tags", placeholder="Tag", maxlength=str(LONGEST_TEXT)),
        element("datalist", *others, id="tags"),
        *(element("input", type="hidden", name="tag", value=tag) for tag in sought.tags),
        element("button", "Search", type="submit"),
        element("p", *dropping, element("a", "all studies", href="studies"), class_="dropping") if is_sought else None,
        method="get",
        action="studies",
        class_="search",
        role="search",
    )


def _offset(text: str) -> int:
    return min(int(text), LAST_OFFSET) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0
