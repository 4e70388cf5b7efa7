"""Names in: patterns that no shell expanded, and which rotated files are one log."""

from pathlib import Path

import pytest

from maillog.errors import UnreadableSourceError
from maillog.sources import adjacent, expand, family, rotated_siblings


class TestExpand:
    """Patterns that no shell expanded."""

    def test_order_and_exact_names(self, tmp_path: Path) -> None:
        """Names keep their order, matches are sorted, and an existing name is never a pattern."""
        for name in ("b.log", "a.log", "[x].log"):
            (tmp_path / name).touch()
        names = ["-", f"{tmp_path}/[x].log", f"{tmp_path}/?.log", "missing"]
        assert expand(names) == ["-", f"{tmp_path}/[x].log", f"{tmp_path}/a.log", f"{tmp_path}/b.log", "missing"]

    def test_no_match(self) -> None:
        """A pattern without a match is an error, not an empty list."""
        with pytest.raises(UnreadableSourceError, match=r"^/no/\*\.log: no file matches\. Check the pattern"):
            expand(["/no/*.log"])


class TestRotation:
    """Which files are one log."""

    @pytest.mark.parametrize(
        ("name", "base"),
        [
            ("mail.log", "mail.log"),
            ("mail.log.1", "mail.log"),
            ("mail.log.2.gz", "mail.log"),
            ("mail.log.0.bz2", "mail.log"),
            ("mail.log-20261101.xz", "mail.log"),
            ("mail.log.20261101", "mail.log"),
            ("mail.log-2026-11-01.zst", "mail.log"),
            ("mail.log-2026110113.gz", "mail.log"),
            ("mail.log-20261101-1793500000.gz", "mail.log"),
            ("mail.log-20261101.1", "mail.log"),
            ("mainlog.01", "mainlog"),
            ("mainlog.001.gz", "mainlog"),
            ("mainlog-20250101", "mainlog"),
            ("20250101-mainlog", "mainlog"),
            ("main.202501", "main"),
            ("10.0.0.1", "10.0.0.1"),
            ("mail.10.0.0.1.gz", "mail.10.0.0.1"),
            ("10.0.0.1.1.gz", "10.0.0.1"),
            ("mx-2025.log", "mx-2025.log"),
            ("mail.1234", "mail.1234"),
            ("mail.log-20261399", "mail.log-20261399"),
            ("20261101.gz", "20261101"),
            ("2026-11-01", "2026-11-01"),
            (".1", ".1"),
        ],
    )
    def test_family(self, name: str, base: str) -> None:
        """Rotation and compression endings fall away, numbers that mean something else stay."""
        assert family(f"/var/log/{name}") == f"/var/log/{base}"

    def test_family_is_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name without a folder stands in the present one."""
        monkeypatch.chdir(tmp_path)
        assert family("mail.log.1") == f"{tmp_path}/mail.log"

    def test_siblings_oldest_first(self, tmp_path: Path) -> None:
        """The rest of the family in the order of writing; neither other logs nor folders."""
        rotated = ["mail.log-20261030", "mail.log-20261101.xz", "mail.log.10.gz", "mail.log.2.gz", "mail.log.1"]
        for name in [*rotated, "mail.log", "mail.err", "mail.log.swp", "mail.info.1"]:
            (tmp_path / name).touch()
        (tmp_path / "mail.log.3").mkdir()
        found = [Path(name).name for name in rotated_siblings(f"{tmp_path}/mail.log")]
        assert found == rotated
        assert Path(rotated_siblings(f"{tmp_path}/mail.log.1")[-1]).name == "mail.log"

    def test_siblings_of_what_has_none(self) -> None:
        """Standard input has no siblings, and a folder that is not there is an error."""
        assert rotated_siblings("-") == []
        with pytest.raises(UnreadableSourceError, match=r"^/no/mail\.log: its folder cannot be listed \(No such file"):
            rotated_siblings("/no/mail.log")


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ("mail.log.1", "mail.log", True),
        ("mail.log.2.gz", "mail.log.1", True),
        ("mail.log.0", "mail.log", True),
        ("mail.log.1", "mail.log.0", True),
        ("mail.log.2.gz", "mail.log", False),
        ("mail.log.4.gz", "mail.log.2.gz", False),
        ("mainlog.10", "mainlog.09", True),
        ("mail.log-20261101.gz", "mail.log", True),
        ("mail.log-20261101", "mail.log-20261103", True),
    ],
)
def test_adjacent(tmp_path: Path, earlier: str, later: str, expected: bool) -> None:
    """A number that is missing is a log that is missing; dates alone do not tell."""
    assert adjacent(str(tmp_path / earlier), str(tmp_path / later)) is expected


@pytest.mark.parametrize(
    ("earlier", "there", "later"),
    [
        ("mail.log-20261101.gz", "mail.log-20261102.gz", "mail.log"),
        ("mail.log-20261101", "mail.log-20261102.gz", "mail.log-20261103"),
        ("mail.log.1", "mail.log.0", "mail.log"),
    ],
)
def test_not_adjacent_where_another_is_between(tmp_path: Path, earlier: str, there: str, later: str) -> None:
    """A file that was rotated between two others shows that they do not follow each other."""
    (tmp_path / "mail.log-20261031").touch()
    assert adjacent(str(tmp_path / earlier), str(tmp_path / later))
    (tmp_path / there).touch()
    assert not adjacent(str(tmp_path / earlier), str(tmp_path / later))
