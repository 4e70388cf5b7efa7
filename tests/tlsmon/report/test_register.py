"""The exceptions register: what is written there is understood exactly, or refused with the place and what to do."""

from datetime import date
from pathlib import Path

import pytest

from tlsmon.report.register import Exemption, RegisterError, read

ENTRY = '[[exception]]\ndomain = "{}"\nowner = "Mail team"\nreason = "Gateway"\nexpires = 2027-03-31\n'


def test_read(tmp_path: Path) -> None:
    """Entries come by expiry; domains are folded to lower case A-labels, as the store has them."""
    path = tmp_path / "exceptions.toml"
    path.write_text(ENTRY.format("Bücher.Example") + ENTRY.format("a.example").replace("2027", "2026"))
    assert read(path) == (
        Exemption("a.example", "Mail team", "Gateway", date(2026, 3, 31)),
        Exemption("xn--bcher-kva.example", "Mail team", "Gateway", date(2027, 3, 31)),
    )


def test_empty(tmp_path: Path) -> None:
    """An empty file is a register without exceptions."""
    (tmp_path / "x").write_text("# nothing yet\n")
    assert read(tmp_path / "x") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[exception]]\ndomain =", "not TOML"),
        ("[[exceptions]]\n", "'exceptions' is not understood"),
        ("exception = 1\n", "'exception' is not understood"),
        ('exception = ["a.example"]\n', "exception 1: no table"),
        ('[[exception]]\ndomain = "a"\n', "exception 1: expires is missing"),
        (ENTRY.format("a") + "note = 1\n", "exception 1: 'note' is not understood"),
        (ENTRY.format("a").replace("2027-03-31", '"soon"'), "exception 1: expires is not a day"),
        (ENTRY.format("a").replace("2027-03-31", "2027-03-31T00:00:00Z"), "exception 1: expires is not a day"),
        (ENTRY.format("  "), "exception 1: domain is not text"),
        (ENTRY.format("a.example") + ENTRY.format("A.example"), "exception 2: a.example is there twice"),
    ],
)
def test_refused(text: str, message: str, tmp_path: Path) -> None:
    """What is not understood is no exception: the whole register is refused, with the entry named."""
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(RegisterError) as caught:
        read(tmp_path / "x.toml")
    assert str(caught.value).startswith(f"{tmp_path / 'x.toml'}: ")
    assert message in str(caught.value)
    assert caught.value.hint


def test_no_file(tmp_path: Path) -> None:
    """A register that is not there is an error, not an empty one."""
    with pytest.raises(RegisterError, match="cannot be read"):
        read(tmp_path / "nothing.toml")
