"""
The man page, made from the commands: ``python -m tlsmon.cli.manual VERSION > tlsmon.1``.

Only macros of man(7) that every formatter has; what comes from the commands is escaped, so that it stays text.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Final

from tlsmon.cli import describe
from tlsmon.cli.describe import Command, Entry
from tlsmon.cli.exits import Exit

_DESCRIPTION: Final = """\
tlsmon reads the logs that Postfix and Exim write anyway. It says how much of the outgoing mail is encrypted and how
that changes, and it names the recipient domains that can be moved to mandatory TLS and those that would lose mail, with
the reason and the number of mails behind every verdict.

Where a log does not tell, the answer is unknown or unproven; nothing is guessed. No local parts, subjects or message
ids are stored or shown.
"""
_FILES: Final = (
    Entry("/var/lib/tlsmon", "The store of root and of the service."),
    Entry("~/.local/share/tlsmon", "The store of another user."),
)
_EXAMPLES: Final = (
    Entry("tlsmon ingest '/var/log/mail.log*'", "Read the log with all that was rotated away; again and again."),
    Entry("tlsmon recommend --plan", "Say which domains can be enforced, in which order."),
    Entry("tlsmon policy --against /etc/postfix/tls_policy", "Say what to change in the table in use, and why."),
    Entry("tlsmon report -o week.pdf", "Write the weekly report."),
)
_STANDS_IN: Final = {True: "Instead of", False: "See"}
_SEE_ALSO: Final = ("postconf(5)", "postmap(1)", "exim(8)", "journalctl(1)", "systemd.timer(5)", "crontab(5)")


def manual(version: str) -> str:
    """Return the man page in roff, ASCII only."""
    return "\n".join(_page(version)) + "\n"


def _page(version: str) -> Iterator[str]:
    program = describe.program()
    yield f'.TH TLSMON 1 "" "tlsmon {escaped(version)}" "User Commands"'
    yield from (".SH NAME", f"tlsmon \\- {escaped(_lower(program.text[0].rstrip('.')))}")
    yield ".SH SYNOPSIS"
    for command in describe.commands():
        yield from _synopsis(command)
    yield from (".SH DESCRIPTION", *_paragraphs(_DESCRIPTION.split("\n\n")))
    yield from (".SH OPTIONS", *_entries(program.options))
    yield ".SH COMMANDS"
    for command in describe.commands():
        yield from _command(command)
    yield ".SH EXIT STATUS"
    yield from _entries(Entry(str(int(code)), code.meaning) for code in Exit)
    yield ".SH ENVIRONMENT"
    yield from _entries(
        Entry(each.name, f"{_STANDS_IN[each.stands_in]} {each.option}.") for each in describe.variables()
    )
    yield from (".SH FILES", *_entries(_FILES))
    yield from (".SH EXAMPLES", *_entries(_EXAMPLES))
    yield from (".SH SEE ALSO", escaped(", ".join(_SEE_ALSO)))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _synopsis(command: Command) -> Iterator[str]:
    yield f".B {escaped(command.name)}"
    yield escaped(command.usage)
    yield ".br"


def _command(command: Command) -> Iterator[str]:
    yield f'.SS "{escaped(command.name)} {escaped(command.usage)}"'
    yield from _paragraphs(command.text)
    yield from _entries((*command.arguments, *command.options))


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (".PP", escaped(text))


def _entries(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        yield from (".TP", f".B {escaped(entry.form)}", escaped(entry.text))


def escaped(text: str) -> str:
    r"""
    Return text on one line that roff takes as it stands: no requests, no escapes, hyphens that can be copied.

    >>> print(escaped(".so /etc \\ --x 'a' \u2026"))
    \&.so /etc \(rs \-\-x \(aqa\(aq \[u2026]
    """
    special = {"\\": "\\(rs", "-": "\\-", "'": "\\(aq", '"': "\\(dq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}
    line = " ".join(text.split())
    shown = "".join(special.get(char) or (char if char.isascii() else f"\\[u{ord(char):04X}]") for char in line)
    return f"\\&{shown}" if re.match(r"[.]", shown) else shown


if __name__ == "__main__":
    sys.stdout.write(manual(sys.argv[1]))
