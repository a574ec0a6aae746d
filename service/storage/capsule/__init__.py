"""A study as one file that says where its figures come from, and from which they can be trained again.

`archive` writes and reads the file: a zip whose manifest has the digest of every other file. `content` is what the
files say, with a check of every word: a capsule may come from anybody. Both know no database.
"""

from service.storage.capsule.archive import packed, unpacked
from service.storage.capsule.content import Capsule, CapsuleRun, files_of, read_capsule
from service.storage.capsule.plain_json import BadCapsule

__all__ = ["BadCapsule", "Capsule", "CapsuleRun", "files_of", "packed", "read_capsule", "unpacked"]
