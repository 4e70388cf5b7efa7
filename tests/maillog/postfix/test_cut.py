"""Tests of the ends of Postfix's records."""

from maillog.postfix.cut import RECORD_MAX, without_blank_ends


def test_blanks_at_the_end() -> None:
    """A template may put them behind Postfix's lines; a part of an Exim entry may end in one that counts."""
    assert without_blank_ends(b"Nov  3 10:00:00 m postfix/smtpd[1]: connect from a  \nx \n") == (
        b"Nov  3 10:00:00 m postfix/smtpd[1]: connect from a\nx \n"
    )
    part = b"Nov  3 10:00:00 m exim[1]: [1/2] 1wFXyz-0000Ab-Cd => u@a.b R=r T=t/smtp[1]: \n"
    assert without_blank_ends(part) == part


def test_blanks_that_are_of_the_record() -> None:
    """A record that is cut at a blank keeps it: it tells that the record is cut."""
    head = b"Nov  3 10:00:00 m postfix/qmgr[1]: "
    for size, expected in ((RECORD_MAX - 1, b"4F00A1: from=<"), (RECORD_MAX, b"4F00A1: from=<".ljust(RECORD_MAX))):
        assert without_blank_ends(head + b"4F00A1: from=<".ljust(size) + b"\n") == head + expected + b"\n"
