"""What the logs lack for a verdict, and what in them has to be known before TLS is enforced."""

import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from maillog.model import Mta
from tlsmon.doctor import exim, postfix
from tlsmon.doctor.lines import Gap
from tlsmon.doctor.logs import Counts, Hop, LogFacts, Sender
from tlsmon.doctor.model import Finding, Weight

_NAMES: Final = {Mta.POSTFIX: "Postfix", Mta.EXIM: "Exim"}
_REASONS: Final = {
    Mta.POSTFIX: "lines are missing",
    Mta.EXIM: "lines are missing, or have the cipher of another connection (docs/model.md, What the log cannot tell)",
}
_WORTH_TELLING: Final = 0.01
"""A smaller share of unknown mail is told by `tlsmon traffic` well enough."""
_SESSIONS_TO_KNOW: Final = 20
_RELAY_SHARE: Final = 0.99
_RELAY_DOMAINS: Final = 5
_SUBMISSION: Final = frozenset({465, 587})
_WINDOW_DAYS: Final = 30
_GAPS_SHOWN: Final = 3
_NAMES_CHECKED: Final = frozenset({"verify", "secure"})

_LOGGERS: Final = {
    "socket": (
        "rsyslog dropped {count:,} lines, because one process wrote more than its rate limit allows",
        "/etc/rsyslog.conf, in place of the line that loads imuxsock",
        ('module(load="imuxsock" SysSock.RateLimit.Interval="0")',),
        "systemctl restart rsyslog",
    ),
    "import": (
        "rsyslog dropped {count:,} lines of the journal, because they were more than its rate limit allows",
        "/etc/rsyslog.conf, into the line that loads imjournal",
        ('module(load="imjournal" Ratelimit.Interval="0" StateFile="imjournal.state")',),
        "systemctl restart rsyslog",
    ),
    "journal": (
        "journald dropped {count:,} lines of the mail server, because they were more than its rate limit allows",
        "/etc/systemd/journald.conf.d/tlsmon.conf",
        ("[Journal]", "RateLimitIntervalSec=0"),
        "systemctl restart systemd-journald",
    ),
    "forward": (
        "journald could not hand {count:,} lines on to syslog; they are in the journal only",
        "the command that feeds tlsmon, to read the journal itself",
        (
            (
                "journalctl -o json -t postfix/smtp -t postfix/tlsproxy -t postfix/qmgr -t postfix/master "
                "-t systemd-journald --since today | tlsmon ingest -"
            ),
        ),
        None,
    ),
}


def judge(facts: LogFacts, level: str) -> Iterator[Finding]:
    """Yield what the logs lack for a verdict at a level, and what is to be known before it is enforced."""
    yield from _readable(facts)
    for sender, counts in facts.senders.items():
        yield from _sender(sender, counts, level, numbered=sender.host not in facts.lines.unnumbered)
    yield from _lost(facts)
    yield from _gaps(facts)
    yield from _files(facts)
    yield from _window(facts)


def _readable(facts: LogFacts) -> Iterator[Finding]:
    if not facts.deliveries:
        yield Finding(
            Weight.MISSING,
            "deliveries",
            f"No line of {sum(facts.logs.values()):,} tells of a delivery to another host. Is this the log of the mail "
            "server that sends, and not only of one that receives?",
        )
    unread = sum(facts.unread.values())
    if unread:
        yield Finding(
            Weight.WARNING,
            "unread lines",
            f"{unread:,} lines look relevant and could not be read. `tlsmon parse LOG --unread FILE` shows them.",
        )


def _sender(sender: Sender, counts: Counts, level: str, *, numbered: bool) -> Iterator[Finding]:
    if counts.sent:
        yield from _unknown(sender, counts) if numbered or sender.mta is Mta.EXIM else _unnumbered(sender, counts)
        yield from _certificates(sender, counts, level)
        yield from _relay(counts)
    if sender.mta is Mta.POSTFIX:
        for hop, _mails in counts.near.most_common():
            yield postfix.local_hop(_spelt(hop), None)


def _unknown(sender: Sender, counts: Counts) -> Iterator[Finding]:
    if not counts.unknown or counts.unknown / counts.sent < _WORTH_TELLING:
        return
    who = f"{_NAMES[sender.mta]} on {sender.host}" if sender.host else f"{_NAMES[sender.mta]}"
    if counts.unknown < counts.sent:
        span = f"{counts.unknown_first:%Y-%m-%d %H:%M} and {counts.unknown_last:%Y-%m-%d %H:%M}"
        yield Finding(
            Weight.WARNING,
            f"unknown mail of {who}",
            f"Of {counts.sent:,} mails that {who} sent, {counts.unknown:,} are unknown, between {span}: TLS logging "
            f"was off at times, or {_REASONS[sender.mta]}.",
        )
        return
    text = f"The log of {who} says nothing about TLS: all {counts.sent:,} mails sent are unknown."
    if sender.mta is Mta.POSTFIX:
        yield Finding(Weight.MISSING, "smtp_tls_loglevel", text, postfix.MAIN, (postfix.LOG_LINE,), postfix.RELOAD)
    else:
        yield Finding(Weight.MISSING, "log_selector", text, exim.MAIN_SECTION, (exim.selector_line(""),), exim.RESTART)


def _unnumbered(sender: Sender, counts: Counts) -> Iterator[Finding]:
    if counts.unknown:
        who = f"Postfix on {sender.host}" if sender.host else "Postfix"
        yield Finding(
            Weight.MISSING,
            "process numbers",
            f"The log of {who} has no process numbers, as in postfix/smtp[4711]. Without them no line about TLS can be "
            f"tied to a mail: of {counts.sent:,} mails sent {counts.unknown:,} are unknown. Let the system's logger "
            "write the whole tag: `syslogtag` in place of `programname` in rsyslog's templates, `${MSGHDR}` in place "
            "of `${PROGRAM}` in those of syslog-ng.",
        )


def _certificates(sender: Sender, counts: Counts, level: str) -> Iterator[Finding]:
    if counts.encrypted < _SESSIONS_TO_KNOW or counts.proven:
        return
    if sender.mta is Mta.POSTFIX and counts.worded:
        yield postfix.authorities(level, f"none of {counts.worded:,} certificates in the log counts as trusted")
    elif sender.mta is Mta.POSTFIX:
        yield postfix.quiet(level)
    elif not counts.worded:
        yield Finding(
            Weight.MISSING if level in _NAMES_CHECKED else Weight.WARNING,
            "log_selector",
            f"The log does not say which certificates are good: no CV= in {counts.encrypted:,} encrypted deliveries.",
            exim.MAIN_SECTION,
            (exim.selector_line(""),),
            exim.RESTART,
        )


def _relay(counts: Counts) -> Iterator[Finding]:
    hop, mails = counts.far.most_common(1)[0]
    many = len(counts.domains[hop]) >= _RELAY_DOMAINS
    if mails / counts.sent >= _RELAY_SHARE and (hop.port in _SUBMISSION or many):
        yield Finding(
            Weight.WARNING,
            f"relay {_spelt(hop)}",
            f"{mails:,} of {counts.sent:,} mails go to {_spelt(hop)}: a relay. TLS can be made mandatory up to there "
            "only, for the relay as relayhost or transport_maps spell it, not for recipient domains. No log on this "
            "machine tells how mail goes on from there.",
        )


def _lost(facts: LogFacts) -> Iterator[Finding]:
    for part, count in facts.lines.dropped.items():
        text, where, lines, then = _LOGGERS[part]
        yield Finding(
            Weight.MISSING,
            f"lost lines ({part})",
            f"{text.format(count=count)}. A mail whose TLS line is lost looks as if it went in clear.",
            where,
            lines,
            then,
        )
    if facts.lines.untold:
        yield Finding(
            Weight.MISSING,
            "lost lines",
            f"{facts.lines.untold:,} of {facts.lines.removed:,} mails left the queue without a line that says where "
            "they went: lines are missing. Look for rate limits of the system's logger (lines with `lost` or "
            "`Suppressed` in /var/log/syslog, or `journalctl -u systemd-journald`; give such a log to tlsmon doctor, "
            "too), and for filters in its configuration.",
        )


def _gaps(facts: LogFacts) -> Iterator[Finding]:
    gaps = facts.lines.gaps()
    if gaps:
        shown = "; ".join(map(_gap, gaps[:_GAPS_SHOWN])) + ("; ..." if len(gaps) > _GAPS_SHOWN else "")
        yield Finding(
            Weight.WARNING,
            "gaps",
            f"Nothing at all was logged {shown}. If the machine was not off, a log is missing: give all that rotation "
            "left.",
        )


def _gap(gap: Gap) -> str:
    hours = (gap.end - gap.begin) / timedelta(hours=1)
    host = f" on {gap.host}" if gap.host else ""
    return f"from {gap.begin:%Y-%m-%d %H:%M} for {hours:,.0f} hours{host}"


def _files(facts: LogFacts) -> Iterator[Finding]:
    if facts.missing_files:
        names = ", ".join(facts.missing_files[:_GAPS_SHOWN])
        more = len(facts.missing_files) - _GAPS_SHOWN
        yield Finding(
            Weight.WARNING,
            "rotated logs",
            f"Of a rotated set these are not there: {names}{f' and {more:,} more' if more > 0 else ''}. Their mail is "
            "in no count.",
        )


def _window(facts: LogFacts) -> Iterator[Finding]:
    first, last = facts.lines.first, facts.lines.last
    if first is None or last is None or last - first >= timedelta(days=_WINDOW_DAYS):
        return
    days = (last - first) / timedelta(days=1)
    span = f"{days:.1f} days" if days >= 1 else "less than a day"
    yield Finding(
        Weight.NOTE,
        "time covered",
        f"These logs cover {span}; verdicts are made from {_WINDOW_DAYS} days, and are the surer the more mail they "
        "saw. The store remembers what rotation takes away, so let it grow:",
        "the crontab of a user that may read the log",
        (f"17 * * * * tlsmon ingest {_for_cron(facts)}",),
    )


def _for_cron(facts: LogFacts) -> str:
    """Return the logs as a line of a crontab spells them, where there are few."""
    names = [str(Path(name).absolute()) for name in facts.logs if name != "-"]
    return shlex.join(names).replace("%", "\\%") if 0 < len(names) <= _GAPS_SHOWN else "LOG..."


def _spelt(hop: Hop) -> str:
    """Return a hop as Postfix spells it in a table, as far as the log shows it."""
    host = hop.ip if hop.ip and postfix.is_near(f"[{hop.ip}]") else hop.host or hop.ip
    return f"[{host}]:{hop.port}" if hop.port else f"[{host}]"
