"""A study as one file, from which its runs can be trained again."""

from typing import Any

from fastapi import APIRouter, Response

from service.api.dependencies import ReportsOf, StudyName
from service.api.errors import documented
from service.reports.capsule import capsule_of

router = APIRouter(prefix="/studies/{name}", tags=["results"], responses=documented(404))

MEDIA = "application/zip"
ZIP: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA: {"schema": {"type": "string", "format": "binary"}}}}  # else errors would be files too
}


@router.get("/capsule", response_class=Response, responses=ZIP)
def capsule(name: StudyName, reports: ReportsOf) -> Response:
    """Return the study as a capsule for `pernodedrop reproduce`.

    It has the definition, every run with its seeds, where each comes from, the learning curves, the report, and the
    versions of the packages that trained.
    """
    content = reports.made(name, "capsule", capsule_of, whole=True)
    disposition = f'attachment; filename="{name}.zip"'  # a study's name holds no quote: NAME_PATTERN
    return Response(content, media_type=MEDIA, headers={"Content-Disposition": disposition})
