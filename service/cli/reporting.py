"""`report`: writes a study's results as a page, tables or pictures."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pernodedrop.near import hint
from service.cli.files import save
from service.cli.session import client_here
from service.cli.studies import StudyName
from service.client import Client

commands = typer.Typer()

PAGE = "report.html"
RECORDS = "records"


class Format(StrEnum):
    """The formats of a report."""

    HTML = "html"  # the page
    CSV = "csv"  # the tables
    PARQUET = "parquet"
    MARKDOWN = "md"  # the confirmation, and a paper's methods section
    LATEX = "tex"  # the confirmation
    PNG = "png"  # the figures
    SVG = "svg"


CONFIRMATION = "confirmation"
TABLES: Mapping[Format, Sequence[str]] = {
    Format.CSV: (RECORDS, "paper_table", "trials"),
    Format.PARQUET: (RECORDS, "curves", "trials"),
    Format.MARKDOWN: ("methods",),
    Format.LATEX: (),
}
EXAMINED = ("examinations", "detection")  # tables of a study with `evaluation`, in both formats


def _format(text: str) -> Format:
    if text not in tuple(Format):
        raise typer.BadParameter(f"must be one of {', '.join(Format)}, got {text[:40]!r}{hint(text, Format)}")
    return Format(text)


OfFormat = Annotated[
    list[Format] | None,
    typer.Option(
        "--format",
        "-f",
        metavar="|".join(Format),
        parser=_format,
        help="html: a self-contained page that prints to PDF; csv, parquet: the tables; md, tex: the confirmation for"
        " a paper; png, svg: the figures. May be repeated.",
        show_default="html",
    ),
]
OfOutput = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="The file, if only one is written (html; the records as csv or parquet; the confirmation as md or tex);"
        " else a folder.",
        show_default="NAME.html, or the folder NAME",
    ),
]


To = Annotated[
    str | None,
    typer.Option(
        metavar="VARIANT",
        help="Compare the confirmed configurations with that of this variant.",
        show_default="the first one",
    ),
]


@commands.command()
def report(name: StudyName, formats: OfFormat = None, output: OfOutput = None, to: To = None) -> None:
    """Write the study's report: a page, tables or figures.

    A folder gets the files of the wanted formats: report.html; records, paper_table and trials as csv; records, curves
    and trials as parquet; methods.md; figures/*.png, figures/*.svg; for a study with a confirmation also confirmation
    as csv, parquet, md or tex, and for one with `evaluation` examinations and detection as csv or parquet.

    Example:

      pernodedrop report my-study -f csv -f md -f tex --to dropout -o results
    """
    wanted = list(dict.fromkeys(formats or [Format.HTML]))
    single = _single_file(name, wanted, output)
    with client_here() as client:
        if single is not None:
            save(single, _content(client, name, wanted[0], to))
            return
        folder = output or Path(name)
        for path, content in _files(client, name, wanted, to):
            save(folder / path, content)


def _single_file(name: str, wanted: Sequence[Format], output: Path | None) -> Path | None:
    """The one file to write; None if a folder is needed."""
    if len(wanted) > 1 or wanted[0] in (Format.PNG, Format.SVG) or (output is not None and output.is_dir()):
        return None
    if wanted[0] is Format.HTML:
        return output or Path(f"{name}.html")
    is_file = output is not None and (output.suffix == f".{wanted[0]}" or output.exists())
    return output if is_file else None


def _content(client: Client, name: str, form: Format, to: str | None) -> str | bytes:
    if form is Format.HTML:
        return client.report(name)
    if form in (Format.MARKDOWN, Format.LATEX):
        return client.export(name, f"{CONFIRMATION}.{form}", to=to)
    return client.export(name, f"{RECORDS}.{form}")


def _files(client: Client, name: str, wanted: Sequence[Format], to: str | None) -> Iterator[tuple[str, str | bytes]]:
    """Every file with its path in the folder."""
    pictures = [form for form in wanted if form in (Format.PNG, Format.SVG)]
    figures = [figure.name for figure in client.figures(name)] if pictures else []
    definition = client.study(name).definition if any(form in TABLES for form in wanted) else {}
    examined = EXAMINED if definition.get("evaluation") else ()
    for form in wanted:
        if form is Format.HTML:
            yield PAGE, client.report(name)
        for table in (*TABLES.get(form, ()), *(examined if form in (Format.CSV, Format.PARQUET) else ())):
            yield f"{table}.{form}", client.export(name, f"{table}.{form}")
        if form in TABLES and definition.get("confirmation"):
            yield f"{CONFIRMATION}.{form}", client.export(name, f"{CONFIRMATION}.{form}", to=to)
        for figure in figures if form in pictures else ():
            file = f"{figure}.{form}"
            yield f"figures/{file}", client.export(name, "figures", file)
