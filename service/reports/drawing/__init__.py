"""Figures as pictures for papers and slides: the page's own figures, drawn by matplotlib without a browser.

Matplotlib comes with the extra `export` and is imported at the first picture. Of plotly this package understands what
`charts` puts into a figure, and no more.
"""

import io
import warnings
from threading import Lock
from typing import Literal, get_args

from pernodedrop.installation import MissingPackage
from service.reports.charts.chart import Figure

PictureFormat = Literal["png", "svg"]
FORMATS: tuple[PictureFormat, ...] = get_args(PictureFormat)
_DRAWING = Lock()  # matplotlib's settings are process-wide


def draw(figure: Figure, form: PictureFormat) -> bytes:
    """The figure on white; the same bytes for the same figure.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingPackage(form.upper(), "matplotlib", "export") from error
    from service.reports.drawing.picture import picture_of
    from service.reports.drawing.style import PIXELS_PER_INCH, SETTINGS

    written = io.BytesIO()
    undated = {"Date": None} if form == "svg" else None
    with _DRAWING, mpl.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # letters that the font lacks become boxes
        drawn = picture_of(figure)
        drawn.savefig(
            written, format=form, dpi=2 * PIXELS_PER_INCH, bbox_inches="tight", pad_inches=0.12, metadata=undated
        )
    return written.getvalue()
