"""A study's results as files: its tables as CSV and Parquet, its figures as PNG and SVG."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from service.api.dependencies import ReportsOf, StudyName
from service.api.errors import documented
from service.api.models import FigureOut, Figures
from service.reports import Results
from service.reports.drawing import PictureFormat, draw
from service.reports.exports import (
    TABLES,
    TableName,
    confirmation_table,
    csv_of,
    latex_of,
    markdown_of,
    methods_of,
    parquet_of,
    text_table,
)
from service.reports.sections import charts_of
from service.web.faults import UnknownFigure

router = APIRouter(prefix="/studies/{name}", tags=["results"], responses=documented(404, 501))

MEDIA = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "png": "image/png",
    "svg": "image/svg+xml",
    "md": "text/markdown",
    "tex": "application/x-tex",
}
TableFormat = Literal["csv", "parquet"]
AnswerFormat = Literal["csv", "parquet", "md", "tex"]
OfTable = Annotated[
    TableName,
    Path(description="The table holds epochs, points of curves, the paper's summary, what was examined, or the runs."),
]
To = Annotated[
    str | None,
    Query(
        max_length=100,
        description="The confirmed configurations are compared with the best one of this variant; else with the first.",
        examples=["dropout"],
    ),
]
OfFigure = Annotated[
    str, Path(max_length=100, description="This is one of the names that /figures lists.", examples=["history"])
]


def _file(*forms: str) -> dict[int | str, dict[str, Any]]:
    """Describe the files by hand: a response_class would describe the errors as files too."""
    content = {MEDIA[form]: {"schema": {"type": "string", "format": "binary"}} for form in forms}
    return {200: {"content": content}}


@router.get("/figures")
def figures(name: StudyName, reports: ReportsOf) -> Figures:
    """List the figures that the study has results for, in the order of its report."""
    return Figures.model_validate_json(reports.made(name, "figures", _listed))


@router.get("/figures/{figure}.{form}", response_class=Response, responses=_file("png", "svg"))
def figure(name: StudyName, figure: OfFigure, form: PictureFormat, reports: ReportsOf) -> Response:
    """Return one figure of the report as a picture."""

    def drawn(results: Results) -> bytes:
        charts = charts_of(results)
        if figure not in charts:
            raise UnknownFigure(name, figure, list(charts))
        return draw(charts[figure].figure, form)

    return _download(reports.made(name, f"figures/{figure}.{form}", drawn), f"{name}-{figure}.{form}", form)


@router.get("/confirmation.{form}", response_class=Response, responses=_file("csv", "parquet", "md", "tex"))
def confirmation(name: StudyName, form: AnswerFormat, reports: ReportsOf, to: To = None) -> Response:
    """Return the confirmed configurations as a table: figures with intervals, differences, what the search had found.

    Differences are to the first configuration, or to that of the variant `to`: with the interval that holds for all
    pairs at once, and with that of the one pair alone. `tex` needs LaTeX's package booktabs, and has fewer columns.
    """

    def written(results: Results) -> bytes:
        if form == "md":
            return markdown_of(text_table(results, to))
        if form == "tex":
            return latex_of(text_table(results, to, whole=False), f"{name}-confirmation".replace("_", "-"))
        return (csv_of if form == "csv" else parquet_of)(confirmation_table(results, to))

    what = f"confirmation.{form}" if to is None else f"confirmation.{form}?to={to}"
    return _download(reports.made(name, what, written, whole=True), f"{name}-confirmation.{form}", form)


@router.get("/methods.md", response_class=Response, responses=_file("md"))
def methods(name: StudyName, reports: ReportsOf) -> Response:
    """Return what a paper's methods section says of the study, in Markdown: only what its runs have recorded."""
    return _download(reports.made(name, "methods.md", methods_of, whole=True), f"{name}-methods.md", "md")


@router.get("/{table}.{form}", response_class=Response, responses=_file("csv", "parquet"))
def table(name: StudyName, table: OfTable, form: TableFormat, reports: ReportsOf) -> Response:
    """Return one table of the results.

    `records` has a row for every epoch of every complete or pruned trial: metrics as means over its seeds, then the
    trial's parameters. `curves` has a row for every point of every seed's learning curve. `paper_table` has the best
    records (variant, rate, epoch) of each variant, as tables I to III of the paper. `examinations` has a row for every
    set of inputs that a model of the confirmation was examined on, and `detection` one for every score that tells such
    a set from the model's own inputs; both are empty for a study without `evaluation`. `trials` has a row for every
    trial of the search and every run of the confirmation, and `confirmation` one for every confirmed configuration.
    """
    write = csv_of if form == "csv" else parquet_of
    content = reports.made(name, f"{table}.{form}", lambda results: write(TABLES[table](results)), whole=True)
    return _download(content, f"{name}-{table}.{form}", form)


def _listed(results: Results) -> bytes:
    listed = [FigureOut(name=chart.name, caption=chart.caption) for chart in charts_of(results).values()]
    return Figures(figures=listed).model_dump_json().encode()


def _download(content: bytes, filename: str, form: str) -> Response:
    disposition = f'attachment; filename="{filename}"'  # a study's name holds no quote: NAME_PATTERN
    return Response(content, media_type=MEDIA[form], headers={"Content-Disposition": disposition})
