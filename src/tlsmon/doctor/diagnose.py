"""Logs and configurations in, a diagnosis out."""

import platform
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from maillog.framing import Framer, FrameSettings
from maillog.model import Mta, Record
from maillog.reading import ReadSettings
from maillog.sources import family
from tlsmon.doctor import exim, judge_logs, postfix, programs, rotation
from tlsmon.doctor.lines import dropped
from tlsmon.doctor.logs import LogFacts, examine
from tlsmon.doctor.model import Diagnosis, Finding, merged

_RUN: Final[dict[Mta, Callable[[], str | None]]] = {Mta.POSTFIX: programs.postfix, Mta.EXIM: programs.exim}
_COMMAND: Final = {
    Mta.POSTFIX: "(postconf -nx; postconf -M)",
    Mta.EXIM: "(exim -bP; exim -bP transports; exim -bP routers)",
}
_OPTION: Final = {Mta.POSTFIX: "--postconf", Mta.EXIM: "--exim"}
_NAME: Final = {Mta.POSTFIX: "Postfix", Mta.EXIM: "Exim"}


_NO_LOG: Final = (
    "No log was read. Name one; where the journal is all there is: journalctl -o json --since -7d | tlsmon doctor -"
)


class Asked(NamedTuple):
    """What is to be looked at."""

    level: str
    logs: Sequence[str] = ()
    postconf: str | None = None
    """What postconf printed; None: it is run, where the log is of this machine."""
    exim: str | None = None
    """What ``exim -bP`` printed; None as above."""


def diagnose(asked: Asked, settings: ReadSettings) -> tuple[Diagnosis, list[str]]:
    """Return the diagnosis, and which logs could not be read, in words."""
    facts = examine(asked.logs, settings)
    if _is_here(facts):
        _ask_journald(facts, settings)
    findings: list[Finding] = list(judge_logs.judge(facts, asked.level)) if facts.logs else []
    findings += [each for log in _families(facts) for each in rotation.judge(log)]
    looked_at = [f"{lines:,} lines of {name}" for name, lines in facts.logs.items()]
    notes = [] if asked.logs else [_NO_LOG]
    given = {Mta.POSTFIX: asked.postconf, Mta.EXIM: asked.exim}
    for mta in _RUN:
        text = given[mta]
        source = f"the saved configuration of {_NAME[mta]}"
        if text is None and _is_wanted(mta, facts, given):
            text, note = _of_this_machine(mta, facts)
            source = f"the configuration of {_NAME[mta]} on this machine"
            notes += [note] if note else []
        if text is not None:
            looked_at.append(source)
            findings += _judged(mta, text, asked.level)
    return Diagnosis(asked.level, tuple(looked_at), bool(facts.logs), tuple(notes), merged(findings)), facts.problems


def _families(facts: LogFacts) -> list[str]:
    """Return the names of the logs before they were rotated."""
    return sorted({family(name) for name in facts.logs if name != "-"})


def _judged(mta: Mta, text: str, level: str) -> Iterator[Finding]:
    return postfix.judge(postfix.read(text), level) if mta is Mta.POSTFIX else exim.judge(exim.read(text), level)


def _is_wanted(mta: Mta, facts: LogFacts, given: dict[Mta, str | None]) -> bool:
    """Tell whether a program is to be run: for the log's own mail server; without a log, for any that is there."""
    seen = {sender.mta for sender in facts.senders}
    return mta in seen if seen else not facts.logs and not any(text is not None for text in given.values())


def _is_here(facts: LogFacts) -> bool:
    """Tell whether a log names this machine as the host that wrote it."""
    here = platform.node().partition(".")[0].lower()
    return any(sender.host and sender.host.partition(".")[0].lower() == here for sender in facts.senders)


def _ask_journald(facts: LogFacts, settings: ReadSettings) -> None:
    """Count what journald says it dropped: it says so in the journal, where few mail logs have it."""
    if "journal" in facts.lines.dropped or "forward" in facts.lines.dropped:
        return
    framer = Framer(FrameSettings(settings.host, settings.zone, datetime.now(UTC)))
    for entry in programs.journald():
        record = framer.frame(entry)
        if isinstance(record, Record):
            facts.lines.dropped += dropped(record)


def _of_this_machine(mta: Mta, facts: LogFacts) -> tuple[str | None, str | None]:
    """Return what the program says, or why it was not asked: advice for another machine's log would be wrong."""
    hosts = {sender.host for sender in facts.senders if sender.mta is mta and sender.host}
    here = platform.node().partition(".")[0].lower()
    hint = f"To have it looked at, run {_COMMAND[mta]} > FILE there and give {_OPTION[mta]} FILE."
    if hosts and here not in {host.partition(".")[0].lower() for host in hosts}:
        return None, f"The log is of {', '.join(sorted(hosts))}, this machine is {here}. {hint}"
    text = _RUN[mta]()
    if text is None and facts.senders:
        return None, f"The configuration of {_NAME[mta]} could not be asked on this machine. {hint}"
    return text, None
