"""Traffic in words: the sentence for a manager, and what an administrator should change."""

from datetime import datetime
from typing import Final

from tlsmon.rollup.model import Direction
from tlsmon.traffic.model import Counts, Silence, Traffic
from tlsmon.wording import count, percent, span

_MTA: Final = {"postfix": "Postfix", "exim": "Exim"}
_EXIM_SETTING: Final = "set log_selector = +tls_cipher +tls_certificate_verified in the main section and restart Exim"
_SETTING: Final = {
    Direction.OUTBOUND: {
        "postfix": "set smtp_tls_loglevel = 1 in main.cf and reload Postfix",
        "exim": _EXIM_SETTING,
    },
    Direction.INBOUND: {
        "postfix": "set smtpd_tls_loglevel = 1 in main.cf and reload Postfix",
        "exim": _EXIM_SETTING,
    },
}


def sentence(traffic: Traffic) -> str:
    """Return what the traffic amounts to, in one or two sentences."""
    total = traffic.total
    inbound = traffic.direction is Direction.INBOUND
    where = "from the internet" if inbound else "to the internet"
    if traffic.first is None or traffic.last is None:
        return f"No mail {where} is in the store for this time."
    when = _when(traffic.first, traffic.last)
    if not total.sent:
        return f"None of {total.deliveries:,} attempts {when} delivered a mail {where}."
    verb = "taken" if inbound else "sent"
    ways = ("came", "to have come") if inbound else ("went", "to have gone")
    return f"Of {count(total.sent, 'mail')} {verb} {where} {when}, {_parts(total, *ways)}"


def _parts(total: Counts, went: str, to_have_gone: str) -> str:
    if total.unknown == total.sent:
        return "it is not known of any whether it was encrypted: the log does not tell."
    clear = f"{total.plaintext:,} {went} in clear" if total.plaintext else f"none {went} in clear"
    if not total.unknown:
        return f"{percent(total.encrypted / total.sent)} were encrypted; {clear}."
    # What is unknown may have been encrypted too, so the share of all is a lower bound.
    verb = "is" if total.unknown == 1 else "are"
    known = f"at least {percent(total.encrypted / total.sent)} were encrypted"
    return (
        f"{known}; {clear.replace(f'none {went}', f'none is known {to_have_gone}')}, {total.unknown:,} {verb} unknown."
    )


def _when(first: datetime, last: datetime) -> str:
    """Return from when to when: ``on 3 Nov 2026``, ``from 1 to 14 Nov 2026``."""
    return f"{'on' if first.date() == last.date() else 'from'} {span(first, last)}"


def advice(silence: Silence) -> str:
    """Return what is unknown because of a host's settings, and the setting to change."""
    who = f"{silence.host or 'a host that its log does not name'} ({_MTA.get(silence.mta, silence.mta)})"
    when = "" if silence.always else f" {_when(silence.first, silence.last)}"
    taken = "sent" if silence.direction is Direction.OUTBOUND else "taken"
    return (
        f"The log of {who} says nothing about TLS{when}, so {count(silence.sent, 'mail')} {taken} are unknown: "
        f"{_SETTING[silence.direction].get(silence.mta, 'switch its TLS logging on')}."
    )
