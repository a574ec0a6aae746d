"""The site's colours: the variables of the report's style sheet, for the two schemes of the site's theme."""

import re
from pathlib import Path

TOKENS = Path(__file__).parents[2] / "service" / "reports" / "assets" / "tokens.css"
SCHEMES = ("default", "slate")  # light and dark
THEIRS = {  # mkdocs-material's variables, by ours
    "--md-default-bg-color": "surface",
    "--md-default-fg-color": "ink",
    "--md-default-fg-color--light": "quiet",
    "--md-typeset-color": "ink",
    "--md-typeset-a-color": "accent",
    "--md-primary-fg-color": "surface",
    "--md-primary-bg-color": "ink",
    "--md-primary-bg-color--light": "quiet",
    "--md-accent-fg-color": "accent",
    "--md-code-bg-color": "page",
    "--md-code-fg-color": "ink",
    "--md-footer-bg-color": "page",
    "--md-footer-bg-color--dark": "page",
    "--md-footer-fg-color": "quiet",
    "--md-footer-fg-color--light": "quiet",
    "--md-footer-fg-color--lighter": "quiet",
}


def style_sheet() -> str:
    """The site's variables as CSS."""
    return "\n".join(_scheme(scheme, colours) for scheme, colours in zip(SCHEMES, _colours(), strict=True))


def _colours() -> tuple[dict[str, str], dict[str, str]]:
    """Our colours by their names, in the light and in the dark."""
    light, _, dark = TOKENS.read_text(encoding="utf-8").partition("prefers-color-scheme: dark")
    plain, changed = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part)) for part in (light, dark))
    return plain, plain | changed


def _scheme(name: str, colours: dict[str, str]) -> str:
    said = "".join(f"  {theirs}: {colours[ours]};\n" for theirs, ours in THEIRS.items())
    return f'[data-md-color-scheme="{name}"] {{\n{said}}}\n'
