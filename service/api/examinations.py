"""What the models of a study's confirmation say of sets of inputs."""

from fastapi import APIRouter

from service.api.dependencies import DatabaseOf, Limit, Offset, StudyName
from service.api.errors import documented
from service.api.models import ExaminationOut, ExaminationPage
from service.reports.found.configurations import configurations
from service.storage.records import seeds_of
from service.storage.studies import examinations, studies, trials

router = APIRouter(prefix="/studies/{name}", tags=["results"], responses=documented(404))


@router.get("/examinations")
def listing(name: StudyName, database: DatabaseOf, limit: Limit = 100, offset: Offset = 0) -> ExaminationPage:
    """List what the confirmation's models say of the test split and of inputs out of distribution.

    Each model is the one of its seed's best epoch by validation, and the runs of a configuration add seeds to it. There
    is a record for every set of inputs, by run, repeat and set, of complete and running runs. A study whose definition
    has no `evaluation` has none.
    """
    study = studies.get(database, name)
    runs = trials.confirming(database, study)
    confirming = {run.run_id: run for run in runs}
    firsts = {run.run_id: several[0].place for several in configurations(study.definition, runs) for run in several}
    page = [
        ExaminationOut(
            run=one.run_id,
            place=confirming[one.run_id].place,
            configuration=firsts[one.run_id],
            variant=confirming[one.run_id].variant,
            repeat=one.repeat,
            seed=seeds_of(study.definition, confirming[one.run_id]).start + one.repeat,
            epoch=one.epoch,
            inputs=one.inputs,
            kind=one.kind,
            level=one.level,
            passes=one.passes,
            outputs=one.outputs,
            figures=dict(one.figures),
        )
        for one in examinations.page(database, study.id, limit, offset)
        if one.run_id in confirming  # the study may have been deleted since
    ]
    return ExaminationPage(examinations=page, total=examinations.count(database, study.id))
