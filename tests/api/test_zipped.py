"""Pages are compressed where the caller takes it, and their length does not say what is in them."""

import gzip

from starlette.requests import HTTPConnection

from service.web.zipped import MOST_PADDING, SMALL, zipped

PAGE = b"<p>a page of many words</p>" * 200


def asking(encodings: str) -> HTTPConnection:
    return HTTPConnection({"type": "http", "headers": [(b"accept-encoding", encodings.encode())]})


def test_what_is_sent_is_the_page() -> None:
    sent, headers = zipped(asking("gzip, br"), PAGE)
    assert headers == {"Vary": "Accept-Encoding", "Content-Encoding": "gzip"}
    assert gzip.decompress(sent) == PAGE
    assert len(sent) < len(PAGE) / 10


def test_who_does_not_take_it_and_small_pages_get_them_plain() -> None:
    assert zipped(asking("identity"), PAGE) == (PAGE, {"Vary": "Accept-Encoding"})
    small = PAGE[: SMALL - 1]
    assert zipped(asking("gzip"), small) == (small, {"Vary": "Accept-Encoding"})


def test_the_same_page_has_many_lengths() -> None:
    lengths = {len(zipped(asking("gzip"), PAGE)[0]) for _ in range(300)}
    assert MOST_PADDING / 2 < len(lengths) <= MOST_PADDING
