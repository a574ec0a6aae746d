"""A capsule's file: a zip with fixed times, and a manifest with the digest and size of every other file.

It is read in memory and never unpacked into a folder. Whatever it claims of itself is bounded before it is believed.
"""

import hashlib
import io
import json
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from search_spaces.problems import shown
from service.storage.capsule.plain_json import BadCapsule, plain_json

FORMAT, SCHEMA_VERSION = "pernodedrop capsule", 1
MANIFEST = "manifest.json"
MOST_BYTES = 2**30  # of the file, and of all that it unfolds into
MOST_ENTRIES = 64
MOST_RATIO, SMALL = 200, 2**20  # unfolded to packed bytes, of entries that unfold into more than `SMALL`
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_STORED = (".parquet",)  # compressed already


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Entry(_Strict):
    """A file of the capsule."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=MOST_BYTES)


class Manifest(_Strict):
    """What the capsule is, and every file in it but this one."""

    format: Literal["pernodedrop capsule"]
    schema_version: Literal[1]
    study: str = Field(max_length=100)
    missing: dict[str, str] = Field(max_length=MOST_ENTRIES)  # what it lacks, and why
    files: dict[str, Entry] = Field(max_length=MOST_ENTRIES)


def packed(study: str, files: Mapping[str, bytes], missing: Mapping[str, str]) -> bytes:
    """The capsule of these files by name; the same files give the same bytes, with the same zlib."""
    entries = {name: Entry(sha256=_digest(data), bytes=len(data)) for name, data in sorted(files.items())}
    manifest = Manifest(
        format="pernodedrop capsule", schema_version=1, study=study, missing=dict(missing), files=entries
    )
    text = json.dumps(manifest.model_dump(), indent=1).encode()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, data in [(MANIFEST, text), *sorted(files.items())]:
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16  # wherever it is written
            kind = zipfile.ZIP_STORED if name.endswith(_STORED) else zipfile.ZIP_DEFLATED
            archive.writestr(info, data, kind, compresslevel=6)
    return written.getvalue()


def unpacked(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of the capsule at `path`, and its other files by name, whose digests are the manifest's.

    Raises:
        BadCapsule: it is no zip, is damaged or was changed, has another schema version, has a name that could leave a
            folder, a link, or something that is not in its manifest, or unfolds into too much.
        OSError: it cannot be read.
    """
    if not path.is_file():
        if path.exists():
            raise BadCapsule(f"{path} is no file")
        raise FileNotFoundError(2, "there is no such file", str(path))
    if (size := path.stat().st_size) > MOST_BYTES:
        raise BadCapsule(f"{path} must have at most {MOST_BYTES:,} bytes, got {size:,}")
    try:
        with zipfile.ZipFile(path) as archive:
            found = _read(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError) as error:
        raise BadCapsule(f"{path} is no zip, or is damaged ({' '.join(str(error).split())[:120]})") from error
    manifest = _manifest(found)
    for name in sorted({*manifest.files, *found} - {MANIFEST}):
        if name not in found:
            raise BadCapsule(f"the capsule lacks {shown(name)}, which its manifest lists: get it again")
        if name not in manifest.files:
            raise BadCapsule(f"the capsule's manifest must list every file, but not {shown(name)}, which is in it")
        if _digest(found[name]) != manifest.files[name].sha256:
            raise BadCapsule(f"{shown(name)} in the capsule was changed: its SHA-256 is not the manifest's")
    return manifest, {name: data for name, data in found.items() if name != MANIFEST}


def _read(archive: zipfile.ZipFile) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise BadCapsule(f"a capsule must have at most {MOST_ENTRIES} entries, got {len(entries):,}")
    if (total := sum(entry.file_size for entry in entries)) > MOST_BYTES:
        raise BadCapsule(f"a capsule must unfold into at most {MOST_BYTES:,} bytes, this one claims {total:,}")
    found: dict[str, bytes] = {}
    for entry in entries:
        if refusal := _refusal(entry, found):
            raise BadCapsule(f"the capsule's entry {shown(entry.filename)} {refusal}")
        found[entry.filename] = archive.read(entry)  # no more than it claims, and what its checksum confirms
    return found


def _refusal(entry: zipfile.ZipInfo, earlier: Mapping[str, bytes]) -> str | None:
    """Why the entry may not be read; None for a plain file in the capsule's one folder."""
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    if not name or "/" in name or "\\" in name or ":" in name or name.startswith("."):
        return "must be a plain file name: a capsule has no folders, and nothing outside of it"
    if kind not in (0, stat.S_IFREG):
        return "must be a regular file: a capsule has no links"
    if name in earlier:
        return "must be there once"
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "must be stored or deflated, and not encrypted"
    if entry.file_size > max(SMALL, MOST_RATIO * entry.compress_size):
        return f"must unfold into at most {MOST_RATIO} times its packed size: this is a zip bomb"
    return None


def _manifest(found: Mapping[str, bytes]) -> Manifest:
    if MANIFEST not in found:
        raise BadCapsule(f"the file is no capsule: it has no {MANIFEST}")
    read: Any = plain_json(found[MANIFEST], MANIFEST)
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise BadCapsule(f"the file is no capsule: its {MANIFEST} must say format {FORMAT!r}")
    if read.get("schema_version") != SCHEMA_VERSION:
        got = shown(read.get("schema_version"))
        raise BadCapsule(
            f"the capsule's schema_version must be {SCHEMA_VERSION}, got {got}: use the release that made it"
        )
    try:
        return Manifest.model_validate(read)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadCapsule(f"the capsule's {MANIFEST} is wrong at {shown(where)}: {first['msg']}") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
