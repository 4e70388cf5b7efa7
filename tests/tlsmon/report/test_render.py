"""The files: PDF, HTML and JSON hold the same, on every page, for any content, and are the same each time."""

import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlsmon.report.test_report import HOSTILE, report_of, sent

from tlsmon import api
from tlsmon.report import table, typeface
from tlsmon.report.model import Column, Form, Kind, Lines, Paper, Report, Section, Table
from tlsmon.report.render import render

needs_poppler = pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs poppler-utils")
needs_qpdf = pytest.mark.skipif(not shutil.which("qpdf"), reason="needs qpdf")
LONG = "a" * 60 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 50 + ".test"


def tool(*command: str, content: bytes) -> str:
    """Return what a tool says about a PDF on its standard input."""
    done = subprocess.run([*command], input=content, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def text_of(content: bytes) -> str:
    """Return the text of a PDF, in the order in which it is read."""
    return tool("pdftotext", "-layout", "-", "-", content=content)


def pages_of(content: bytes) -> int:
    """Return how many pages a PDF has."""
    found = re.search(r"^Pages:\s+(\d+)", tool("pdfinfo", "-", content=content), re.MULTILINE)
    assert found
    return int(found[1])


def long_report(weekly: Report, rows: int) -> Report:
    """Return a report with that many rows in a table and as many policy lines."""
    columns = (Column("domain", "Domain"), Column("mails", "Mails", Kind.COUNT), Column("why", "Why", width=2))
    cells = tuple((f"d{number:05}.example", number, "takes mail in clear") for number in range(rows))
    lines = Lines("Postfix", (), tuple(f"d{number:05}.example encrypt" for number in range(rows)))
    section = Section("long", "Long", (), (Table(columns, cells, "none"),), (lines,))
    return weekly._replace(sections=(section,))


class Strict(HTMLParser):
    """Sees which elements a page has, and which of them are open."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element; none of its attributes may load or run anything."""
        self.names.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in {"src", "href"} or (value or "").startswith("#")

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


@needs_poppler
@pytest.mark.parametrize("paper", Paper)
def test_pdf_holds_the_figures_of_the_other_commands(year: Path, weekly: Report, paper: Paper) -> None:
    """Text extracted from the PDF has the numbers that recommend and traffic give."""
    text = text_of(render(weekly, Form.PDF, paper))
    store = api.open(str(year))
    for item in store.recommend().judgements:
        if item.verdict is not api.Verdict.SAFE:
            assert re.search(rf"^\s*{re.escape(item.domain)}\s+{item.mails:,}\s", text, re.MULTILINE), item.domain
        else:
            assert f"{item.domain} encrypt" in text
    for row in store.traffic(api.Period.WEEK).rows[-13:]:
        numbers = r"\s.*\s".join(
            f"{number:,}" for number in (row.counts.sent, row.counts.plaintext, row.counts.unknown)
        )
        assert re.search(rf"^\s*{row.period}\s.*\s{numbers}\s", text, re.MULTILINE), row.period


@needs_poppler
@needs_qpdf
def test_pdf_is_sound(weekly: Report, tmp_path: Path) -> None:
    """The PDF is valid, has title and dates, its fonts are embedded TrueType, and it holds no picture of pixels."""
    content = render(weekly, Form.PDF)
    (tmp_path / "week.pdf").write_bytes(content)
    tool("qpdf", "--check", str(tmp_path / "week.pdf"), content=b"")
    info = tool("pdfinfo", "-", content=content)
    assert f"Title:           {weekly.title}" in info
    assert "CreationDate:    Mon Apr 20" in info
    fonts = tool("pdffonts", "-", content=content).splitlines()[2:]
    assert fonts
    for font in fonts:
        assert "DejaVuSans" in font
        assert re.search(r"(CID )?TrueType.*\byes\s+yes\s", font)
    assert b"/Subtype /Image" not in content


def test_same_bytes(year: Path, weekly: Report) -> None:
    """The same store gives the same files, in another process, too, whatever its hash seed and time zone."""
    code = (
        "import sys, hashlib; from tlsmon import api; report = api.open(sys.argv[1]).report()\n"
        "print(*(hashlib.sha256(api.render(report, form)).hexdigest() for form in api.Form))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(year)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.split() == [sha256(render(weekly, form)).hexdigest() for form in Form]
    assert render(weekly, Form.PDF) != render(weekly, Form.PDF, Paper.LETTER)


@needs_poppler
@pytest.mark.parametrize("rows", [0, 1, 99, 12_345])
def test_long_tables(weekly: Report, rows: int) -> None:
    """A table of any length gives a bounded number of pages, its header on each, and says what it leaves out."""
    content = render(long_report(weekly, rows), Form.PDF)
    assert pages_of(content) <= 60
    text = text_of(content)
    shown = min(rows, table.MOST_ROWS)
    assert len(re.findall(r"^\s*d\d{5}\.example +[\d,]+ +takes", text, re.MULTILINE)) == shown
    pages = [page for page in text.split("\f") if "takes mail" in page]
    assert all(re.search(r"^\s*Domain +Mails +Why", page, re.MULTILINE) for page in pages)
    assert ("The first 1,000 of 12,345 rows" in text) == (rows == 12_345)
    assert len(set(re.findall(r"d\d{5}\.example encrypt", text))) == min(rows, table.MOST_LINES)


@needs_poppler
@pytest.mark.parametrize("rows", range(44, 52))
def test_no_row_is_left_alone(weekly: Report, rows: int) -> None:
    """A page that goes on with a table has at least three rows of it."""
    section = long_report(weekly, rows).sections[0]._replace(lines=())
    text = text_of(render(weekly._replace(sections=(section,)), Form.PDF))
    by_page = [len(re.findall(r"\bd\d{5}\.example\b", page)) for page in text.split("\f")]
    assert sum(by_page) == rows
    assert all(number >= 3 for number in by_page if number)


@needs_poppler
@pytest.mark.parametrize("rows", [7, 499])
def test_lines_are_copied_in_order(weekly: Report, rows: int) -> None:
    """Who selects policy lines in the PDF gets them one below the other, in their order, over columns and pages."""
    text = tool("pdftotext", "-raw", "-", "-", content=render(long_report(weekly, rows), Form.PDF)).replace("\f", "\n")
    copied = re.findall(r"^(d\d{5}\.example encrypt)$", text, re.MULTILINE)
    assert copied == [f"d{number:05}.example encrypt" for number in range(rows)]


@needs_poppler
def test_hostile_names(tmp_path: Path) -> None:
    """Names of any content and length stay on the page as text, and run nothing."""
    items = [sent(name, day, 200, "plaintext") for name in (HOSTILE, LONG, "x" * 5000) for day in (1, 8)]
    report = report_of(tmp_path, *items)
    text = text_of(render(report, Form.PDF))
    assert "$x^2$" in text
    page = Strict()
    page.feed(render(report, Form.HTML).decode())
    assert "script" not in page.names
    assert "<script>alert(1)</script>$x^2$" in page.text
    assert LONG in page.text
    assert "xxx... (5,000 characters)" in page.text


@needs_poppler
def test_no_text_leaves_the_page(tmp_path: Path) -> None:
    """Every word lies within the margins, however long the names are."""
    items = [sent(name, day, 200, "plaintext") for name in (LONG, LONG[1:], "x" * 253) for day in (1, 8)]
    content = render(report_of(tmp_path, *items), Form.PDF)
    boxes = re.findall(
        r'<word xMin="(.*?)" yMin="(.*?)" xMax="(.*?)" yMax="(.*?)">',
        tool("pdftotext", "-bbox", "-", "-", content=content),
    )
    assert len(boxes) > 100
    for left, top, right, bottom in (map(float, box) for box in boxes):
        assert 40 <= left < right <= 595.276 - 44
        assert 20 <= top < bottom <= 841.89 - 20


def test_html_is_whole(weekly: Report) -> None:
    """The HTML holds each row of each table, and loads nothing."""
    page = Strict()
    page.feed(render(weekly, Form.HTML).decode())
    assert {"table", "svg", "thead"} <= page.names
    assert not {"script", "link", "img", "iframe", "object"} & page.names
    for section in weekly.sections:
        for part in section.tables:
            for row in part.rows:
                for cell, column in zip(row, part.columns, strict=True):
                    assert table.shown(cell, column.kind) in page.text


def test_json_is_whole(weekly: Report) -> None:
    """The JSON holds each row of each table by the names of its columns, with plain numbers."""
    found = json.loads(render(weekly, Form.JSON))
    assert [section["key"] for section in found["sections"]] == [section.key for section in weekly.sections]
    for section, part in zip(weekly.sections, found["sections"], strict=True):
        for rows, expected in zip(part["tables"], section.tables, strict=True):
            assert len(rows) == len(expected.rows)
            assert all(list(row) == [column.key for column in expected.columns] for row in rows)
    assert found["weeks"][-1]["sent"] == weekly.weeks[-1].sent


@given(st.text(), st.floats(8, 400), st.booleans())
def test_wrap_loses_nothing(text: str, most: float, bold: bool) -> None:
    """Wrapped lines hold all characters but spaces, and none is wider than asked where more than one is on it."""
    text = typeface.drawable(text)
    lines = typeface.wrap(text, most, 7.5, bold=bold)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert lines
    for line in lines:
        assert len(line) <= 1 or typeface.width(line, 7.5, bold=bold) <= most + 1e-6


@given(st.text())
def test_drawable_is_known_to_the_typeface(text: str) -> None:
    """What the typeface cannot draw is shown as an escape, so no empty box hides a name."""
    shown = typeface.drawable(text)
    assert typeface.drawable(shown) == shown
    assert shown.isprintable()
