"""Pages of paper: text and rules at places in points from the upper left, page after page."""

from collections.abc import Callable
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from tlsmon.report.figures import GREY, INK, LIGHT
from tlsmon.report.model import Paper
from tlsmon.report.typeface import font

POINTS: Final = {Paper.A4: (595.276, 841.89), Paper.LETTER: (612.0, 792.0)}
MARGIN: Final = 48.0
_TOP: Final = 46.0
_BOTTOM: Final = 52.0


class Canvas:
    """
    The page under the pen, and where on it the next thing goes.

    ``finished`` gets each page as soon as it is full, so that no more than one is kept.
    """

    def __init__(self, paper: Paper, footer: str, finished: Callable[[Figure], None]) -> None:
        self._size = POINTS[paper]
        self._footer = footer
        self._finished = finished
        self._number = 0
        self.left = MARGIN
        self.width = self._size[0] - 2 * MARGIN
        self.depth = self._size[1] - _TOP - _BOTTOM
        """Of an empty page."""
        self._begin()

    @property
    def room(self) -> float:
        """Return how much of the page is left."""
        return self._size[1] - _BOTTOM - self.y

    @property
    def is_fresh(self) -> bool:
        """Tell whether nothing stands on the page yet."""
        return self.y <= _TOP

    def need(self, height: float) -> bool:
        """Begin a new page where less than that is left, unless the page is still empty; tell whether it was done."""
        if self.room >= height or self.is_fresh:
            return False
        self.turn()
        return True

    def turn(self) -> None:
        """Begin a new page."""
        self.end()
        self._begin()

    def end(self) -> None:
        """Finish the page."""
        self._finished(self._figure)

    def skip(self, height: float) -> None:
        """Move on."""
        self.y += height

    def text(  # noqa: PLR0913, what a text looks like
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        bold: bool = False,
        color: str = INK,
        right: bool = False,
    ) -> None:
        """Write one line with its baseline at ``y``."""
        self._figure.text(
            x / self._size[0],
            1 - y / self._size[1],
            text,
            fontproperties=font(bold),
            fontsize=size,
            color=color,
            ha="right" if right else "left",
            va="baseline",
            parse_math=False,  # a dollar sign out of a log is no formula
        )

    def rule(self, y: float, *, color: str = LIGHT, weight: float = 0.5) -> None:
        """Draw a line over the whole width."""
        across = (self.left / self._size[0], (self.left + self.width) / self._size[0])
        down = 1 - y / self._size[1]
        self._figure.add_artist(Line2D(across, (down, down), color=color, linewidth=weight))

    def box(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """Fill a rectangle, from its upper left corner."""
        corner = (x / self._size[0], 1 - (y + height) / self._size[1])
        size = (width / self._size[0], height / self._size[1])
        self._figure.add_artist(Rectangle(corner, *size, color=color, linewidth=0, transform=self._figure.transFigure))

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Return axes for a figure, from its upper left corner."""
        page_width, page_height = self._size
        place = (x / page_width, 1 - (y + height) / page_height, width / page_width, height / page_height)
        return self._figure.add_axes(place)

    def _begin(self) -> None:
        self._number += 1
        self.y = _TOP
        self._figure = Figure(figsize=(self._size[0] / 72, self._size[1] / 72))
        down = self._size[1] - 28
        self.text(self.left, down, self._footer, 7, color=GREY)
        self.text(self.left + self.width, down, f"Page {self._number}", 7, color=GREY, right=True)
