"""Fetches a published archive once: resumes after a break, verifies, and unpacks all of it or nothing."""

import hashlib
import tarfile
import zipfile
from pathlib import Path

import httpx

from pernodedrop.proxies import BadVariable, certificates, proxy_of
from workers.tasks.archives import Archive, UnfitArchive, unpack
from workers.tasks.errors import DataUnavailable
from workers.tasks.fetching import require_fetching
from workers.tasks.locks import alone
from workers.tasks.progress import bar_of_bytes

TIMEOUT_S = 30.0  # without a byte


def provide(archive: Archive, folder: Path) -> None:
    """Make sure that `folder` holds the archive's members; leaves an existing folder as it is.

    Of several processes one downloads and the others wait. An archive beside the folder is used.

    Raises:
        DataUnavailable: there is no network, no space or no permission, or the file is not the published one.
    """
    if folder.is_dir():
        return
    if not (folder.parent / archive.file_name).exists():
        require_fetching(str(folder), archive.size // 10**6)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with alone(folder.with_name(f".{folder.name}.lock")):
            if not folder.is_dir():
                _fetch_and_unpack(archive, folder)
    except (httpx.HTTPError, OSError, tarfile.TarError, zipfile.BadZipFile, UnfitArchive, BadVariable) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataUnavailable(
            f"{folder} is missing and {archive.address} could not be fetched ({reason}): "
            f"put the folder there, or {archive.file_name} into {folder.parent}"
        ) from error


def _fetch_and_unpack(archive: Archive, folder: Path) -> None:
    file = folder.parent / archive.file_name
    if not file.exists():
        part = file.with_name(f"{file.name}.part")
        _download(archive, part)
        _verify(archive, part)
        part.rename(file)
    else:
        _verify(archive, file)
    unpack(archive, file, folder)
    file.unlink()


def _download(archive: Archive, part: Path) -> None:
    """Append to `part` what it lacks; starts again if the server cannot resume."""
    present = part.stat().st_size if part.exists() else 0
    if present >= archive.size:
        return
    headers = {"Range": f"bytes={present}-", "Accept-Encoding": "identity"}
    proxy, trusted = proxy_of(archive.address), certificates(archive.address) or True
    client = httpx.Client(trust_env=False, proxy=proxy, verify=trusted, follow_redirects=True, timeout=TIMEOUT_S)
    with client, client.stream("GET", archive.address, headers=headers) as answer:
        answer.raise_for_status()
        resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
        received = present if resumed else 0
        bar = bar_of_bytes(archive.file_name, archive.size, received)
        with part.open("ab" if resumed else "wb") as out, bar as advance:
            for chunk in answer.iter_raw():  # as it arrives, so that a break loses little
                received += len(chunk)
                if received > archive.size:
                    raise UnfitArchive(f"the server sends more than the published {archive.size} bytes")
                out.write(chunk)
                advance(len(chunk))
    if received < archive.size:
        raise UnfitArchive(f"it broke off after {received} of {archive.size} bytes; the next attempt continues")


def _verify(archive: Archive, file: Path) -> None:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != archive.sha256:
        file.unlink()
        raise UnfitArchive(f"{file.name} had SHA-256 {digest}, published is {archive.sha256}; it was removed")
