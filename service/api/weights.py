"""A configuration's weights as one file."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from service.api.dependencies import DatabaseOf, SettingsOf, StudyName
from service.api.errors import documented
from service.storage.studies import studies
from service.web.orders import MAX_NUMBER
from service.web.weights import archive_of, chosen_weights

router = APIRouter(prefix="/studies/{name}/winner", tags=["results"], responses=documented(404, 501))

MEDIA = "application/zip"
ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA: {"schema": {"type": "string", "format": "binary"}}}}}

OfTrial = Annotated[
    int | None, Query(ge=0, le=MAX_NUMBER, description="The weights are of this trial of the search.", examples=[4])
]
OfPlace = Annotated[
    int | None,
    Query(
        ge=0,
        le=MAX_NUMBER,
        description="The weights are of the configuration of the run at this place in the confirmation, from 0.",
        examples=[0],
    ),
]
OfSeed = Annotated[
    int | None, Query(ge=0, le=MAX_NUMBER, description="Only the weights of this seed of the study.", examples=[1])
]
Ensemble = Annotated[bool, Query(description="`load_winner` averages the probabilities of all seeds by default.")]


@router.get("/weights", response_class=Response, responses=ZIP)
def weights(
    name: StudyName,
    database: DatabaseOf,
    settings: SettingsOf,
    *,
    trial: OfTrial = None,
    confirmation: OfPlace = None,
    seed: OfSeed = None,
    ensemble: Ensemble = False,
) -> Response:
    """Return the weights of the recommended configuration as a zip: `winner.json` and a file for each seed.

    They are those of each training's epoch that is best by validation. `workers.winner.load_winner` builds the models
    again. The digest in `winner.json` is the one in the report. 404 says why there are none.
    """
    chosen = chosen_weights(database, studies.get(database, name), trial=trial, place=confirmation)
    content = archive_of(database, settings.artifacts, chosen, seed=seed, ensemble=ensemble)
    disposition = f'attachment; filename="{name}-weights.zip"'  # a study's name holds no quote: NAME_PATTERN
    return StreamingResponse(content, media_type=MEDIA, headers={"Content-Disposition": disposition})
