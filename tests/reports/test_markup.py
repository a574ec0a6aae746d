"""Nothing that a study says can become markup."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.reports.charts.chart import plain
from service.reports.markup import Html, element, json_block, program, text, with_commands

EVIL = "</script><script>alert('x')</script><img src=x onerror=\"alert(1)\">&amp;\u2028"


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.data = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.data += data


def read(markup: str) -> Reader:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"], include_characters="\n")))
def test_text_and_attributes_come_out_as_they_went_in(words: str) -> None:
    page = read(element("p", words, title=words))
    assert (page.tags, page.attributes, page.data) == (["p"], [("title", words)], words)


def test_controls_and_formats_of_a_text_are_shown_as_python_writes_them() -> None:
    assert read(element("p", "a\x1b\u202e\x85\tb\r\nc")).data == "a\\x1b\\u202e\\x85 b\r\nc"
    assert plain("a\x1b\u202e") == "a\\x1b\\u202e"


def test_markup_is_not_escaped_twice() -> None:
    assert element("p", element("b", "a & b"), None, 3) == "<p><b>a &amp; b</b>3</p>"
    assert text(Html("<br>")) == "<br>"


def test_attributes_that_are_not_given_are_left_out() -> None:
    assert element("p", class_=None, hidden=True, inert=False, aria_label="x") == '<p hidden aria-label="x"></p>'


def test_json_comes_back_and_cannot_end_its_element() -> None:
    data = {"name": EVIL, "comment": "<!--", "values": [1.5, None, True]}
    page = read(json_block(data))
    assert page.tags == ["script"]
    assert json.loads(page.data) == data
    assert "<" not in page.data


def test_json_refuses_what_json_does_not_have() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_block([float("nan")])


@pytest.mark.parametrize("source", ["let a = '</script>'", "</SCRIPT", "<!-- x"])
def test_a_program_that_would_end_its_element_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="must not contain"):
        program(source)


def test_a_chart_takes_text_as_text() -> None:
    assert plain('<a href="javascript:alert(1)">') == '&lt;a href="javascript:alert(1)"&gt;'


@pytest.mark.parametrize(
    ("sentence", "markup"),
    [
        ("run `a <b>` & then `c`.", "run <code>a &lt;b&gt;</code> &amp; then <code>c</code>."),
        ("one ` alone", "one ` alone"),
        ("`all`", "<code>all</code>"),
        ("", ""),
    ],
)
def test_commands_in_a_sentence_are_code(sentence: str, markup: str) -> None:
    assert with_commands(sentence) == markup
