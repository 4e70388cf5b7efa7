"""A report as a mail: what matters most as text, the file itself attached."""

import textwrap
from collections.abc import Sequence
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Final, NamedTuple

from tlsmon.config import SettingError
from tlsmon.report.model import Form, Report
from tlsmon.report.words import name

_TYPES: Final = {Form.PDF: ("application", "pdf"), Form.HTML: ("text", "html"), Form.JSON: ("application", "json")}
_COLUMNS: Final = 72
_DOMAINS_NAMED: Final = 10


class Envelope(NamedTuple):
    """Who writes to whom."""

    sender: Address
    recipients: tuple[Address, ...]


def address(text: str) -> Address:
    """
    Return an address that people gave. Raises SettingError for what is none.

    >>> address("postmaster@example.org").addr_spec
    'postmaster@example.org'
    """
    plain = text.strip()
    if not plain.isascii() or not plain.isprintable():
        raise _no_address(text)
    try:
        found = Address(addr_spec=plain)
    except (ValueError, IndexError, MessageError) as error:  # IndexError: of Python's parser, for some wrong ends
        raise _no_address(text) from error
    if not found.username or not found.domain or found.addr_spec != plain:
        raise _no_address(text)
    return found


def _no_address(text: str) -> SettingError:
    return SettingError(
        f"{text[:100]!r} is not a mail address.", hint="Give it as name@example.org, a domain with umlauts as xn--...."
    )


def compose(report: Report, content: bytes, form: Form, envelope: Envelope, now: datetime) -> EmailMessage:
    """
    Return the mail with the file ``content`` of a report; ``now`` (aware) is its date.

    Names out of logs get into the text only, and there printable: no header is made from them.
    """
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = envelope.sender
    message["To"] = envelope.recipients
    message["Subject"] = f"{report.title}: {_share(report)}"
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid("tlsmon", envelope.sender.domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes, please
    message.set_content(_text(report))
    maintype, subtype = _TYPES[form]
    filename = f"tlsmon-{report.until:%Y-%m-%d}.{form}"
    message.add_attachment(content, maintype=maintype, subtype=subtype, filename=filename)
    return message


def _share(report: Report) -> str:
    rung = next((rung for rung in report.ladder if rung.level == report.level), None)
    if rung is None or not rung.domains:
        return "no mail in this time"
    return f"{rung.safe_domains:,} of {rung.domains:,} domains ready for {report.level}"


def _text(report: Report) -> str:
    changes = report.changes
    parts = [
        _paragraph(report.sentence),
        *(_paragraph(notice) for notice in report.notices),
        "\n".join(f"{figure.value:>12}  {figure.label}" for figure in report.key_figures),
        _named("New: could be enforced since last week", changes.newly_ready),
        _named("New: would lose mail", changes.newly_failing),
        _named("Worse than a week ago", changes.regressed),
        "The whole report is attached.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _named(title: str, domains: Sequence[str]) -> str:
    if not domains:
        return ""
    shown = [f"  {name(domain)}" for domain in domains[:_DOMAINS_NAMED]]
    more = len(domains) - _DOMAINS_NAMED
    return "\n".join([f"{title}:", *shown, *([f"  and {more:,} more"] if more > 0 else [])])


def _paragraph(text: str) -> str:
    return textwrap.fill(text, _COLUMNS, break_long_words=False, break_on_hyphens=False)
