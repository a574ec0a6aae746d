"""Writes the model of a folder of weights as .pt2 or ONNX: `pernodedrop weights --format` calls it."""

import sys
from pathlib import Path

from pernodedrop.visible import escape_the_rest, visible_lines
from workers.usage import Options, one_of
from workers.winner.exporting import FORMATS
from workers.winner.loading import Winner, load_winner
from workers.winner.reading import BadWinner

UNUSABLE = 1  # exit code


def main(arguments: list[str] | None = None) -> int:
    """Write a file for each model; returns the exit code."""
    options = _parser().parse_args(arguments)
    sys.path.append(str(Path.cwd()))  # behind all others, as workers search it
    try:
        for stem, winner in _models(options.folder):
            path = options.folder / f"{stem}.{options.format}"
            draft = path.with_name(f".{path.stem}.draft.{options.format}")
            try:
                FORMATS[options.format](winner, draft)
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
            sys.stdout.write(visible_lines(f"{path.absolute()}\n"))
    except (BadWinner, OSError) as error:
        sys.stderr.write(visible_lines(f"error: {error}\n"))
        return UNUSABLE
    return 0


def _models(folder: Path) -> list[tuple[str, Winner]]:
    """The models that are written, by the names of their files: each seed's, or the average of all."""
    first = load_winner(folder)
    if first.seed is None:
        return [("ensemble", first)]
    return [(f"seed-{seed}", load_winner(folder, seed=seed)) for seed in first.seeds]


def _parser() -> Options:
    parser = Options("python -m workers.winner", __doc__)
    parser.add_argument("folder", type=Path, help="as `pernodedrop weights` has written it")
    formats = sorted(FORMATS)
    parser.add_argument("--format", type=one_of(*formats), required=True, metavar="FORMAT", help=", ".join(formats))
    return parser


if __name__ == "__main__":
    escape_the_rest()
    sys.exit(main())
