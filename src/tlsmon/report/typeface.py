"""The one typeface of a report, DejaVu Sans as it comes with matplotlib: how wide a text is, and where to break it."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font

FAMILY: Final = "DejaVu Sans"
_EM: Final = 1000


@lru_cache(maxsize=2)
def font(bold: bool) -> FontProperties:
    """Return the font by its file, so that no other one of the machine takes its place."""
    return FontProperties(fname=str(_path(bold)))


@lru_cache(maxsize=2)
def _face(bold: bool) -> FT2Font:
    face = FT2Font(str(_path(bold)))
    face.set_size(_EM, 72)
    return face


def _path(bold: bool) -> Path:
    return Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")


@lru_cache(maxsize=8192)
def _advance(char: str, bold: bool) -> float:
    """Return how far a character moves on, in em."""
    return float(_face(bold).load_char(ord(char)).linearHoriAdvance) / 65536 / _EM


@lru_cache(maxsize=8192)
def _drawable(char: str) -> str:
    known = (
        char.isprintable()
        and _face(bold=False).get_char_index(ord(char))
        and _face(bold=True).get_char_index(ord(char))
    )
    return char if known else ascii(char)[1:-1]


def drawable(text: str) -> str:
    """Return a text with escapes for what the typeface cannot draw."""
    return "".join(map(_drawable, text))


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a drawable text in points."""
    return size * sum(_advance(char, bold) for char in text)


def wrap(text: str, most: float, size: float, *, bold: bool = False) -> list[str]:
    """
    Return the lines of a drawable text, none wider than ``most`` points; at least one.

    Breaks at spaces, and within a word that is wider than a line; nothing is left out but the spaces at the breaks.
    """
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width(joined, size, bold=bold) <= most:
            lines[-1] = joined
            continue
        pieces = list(_pieces(word, most, size, bold))
        if lines == [""]:
            lines = []
        lines.extend(pieces)
    return lines


def _pieces(word: str, most: float, size: float, bold: bool) -> Iterator[str]:
    """Break a word where it is too wide, after a dot or a hyphen where one is near."""
    piece, used = "", 0.0
    for char in word:
        step = size * _advance(char, bold)
        if piece and used + step > most:
            end = max(piece.rfind("."), piece.rfind("-")) + 1
            end = end if end > len(piece) / 2 else len(piece)
            yield piece[:end]
            piece = piece[end:]
            used = width(piece, size, bold=bold)
        piece += char
        used += step
    yield piece
