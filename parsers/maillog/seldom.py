"""
A line in a frame that few loggers write -> the same line in a common one.

What an administrator's template leaves of a stamp, or puts beside the host, has many forms: a year, a day of the week,
a space for the T, a month in the language of ``journalctl``'s user, facility and severity, the address that a relay
saw, tabs, colours, the name of the file that grep found the line in. Only lines that no common frame fits come here.
"""

import re
from collections.abc import Iterator

_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
# Labels of logcli behind a time of its own; what journalctl (json-seq, json-sse) and syslog over TCP (RFC 6587) put
# before an entry; the file's name, which grep and zgrep put there, and with -n the number.
_FOUND_IN = re.compile(
    rb"\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:\d\d) \{[^{}]{0,500}\} "
    rb"|(?:\x1e|data: )(?=\{)|\d{2,5} (?=<\d{1,3}>)|[^\s:{\"]{1,200}:(?:\d{1,10}:)?(?=\S)"
)
_STAMP = re.compile(
    r"(?:<\d{1,3}>)?(?:\w{2,4}\.? )?(?:(?P<before>\d{4}) )?"
    r"(?P<month>[^\W\d]{3,5}\.?) +(?P<day>\d{1,2})(?: (?P<middle>\d{4}))? (?P<clock>\d\d:\d\d:\d\d)"
    r"(?P<fraction>[.,]\d{1,9})?(?: (?P<after>\d{4}))?(?= )"
    r"|(?:<\d{1,3}>)?(?P<year>\d{4})[-/](?P<number>\d\d)[-/](?P<date>\d\d)[ T](?P<time>\d\d:\d\d:\d\d)"
    r"(?P<parts>[.,]\d{1,9})?(?: ?(?P<zone>Z|UTC|[+-]\d\d:?\d\d))?(?= )"
)
_LEVEL = (
    r"(?:<?(?:[a-z0-9]{1,10}|\d{1,2})\.(?:[a-z]{1,7}|\d)>?"
    r"|(?i:emerg|alert|crit|err(?:or)?|warn(?:ing)?|notice|info|debug))"
)
# The tag of Postfix and of Exim always has the number of the process here, which keeps text of others out.
_TAG = r"(?P<tag>(?:[^\s\[\]:]{1,100}/[^\s\[\]:/]{1,40}|exim[\w.-]{0,60})\[\d{1,10}\]: )"
_BETWEEN = re.compile(
    rf" +(?:{_LEVEL} )?(?:\[?[0-9A-Fa-f.:]{{3,45}}\]?:? (?=[^\s\[\]]+ ))?(?!{_LEVEL} )"
    rf"(?:(?P<host>[^\s\[\]]{{1,255}}?):? )?(?:{_LEVEL} )?{_TAG}"
)
_MONTHS = {
    1: "jan janv ene gen sty янв",
    2: "feb févr fev lut фев",
    3: "mar mär mars mrt мар",
    4: "apr avr avril abr kwi апр",
    5: "may mai maj mei mag мая май",
    6: "jun juin giu cze июн",
    7: "jul juil lug lip июл",
    8: "aug août ago авг",
    9: "sep sept set wrz сен",
    10: "oct okt out ott paź окт",
    11: "nov lis ноя",
    12: "dec dez déc dic gru дек",
}
_NUMBERS = {name: number for number, names in _MONTHS.items() for name in names.split()}
_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def uncoloured(line: bytes) -> bytes:
    """Return the line without colours and with spaces for tabs, neither of which Postfix and Exim ever write."""
    return _COLOUR.sub(b"", line).replace(b"\t", b" ") if b"\x1b" in line or b"\t" in line else line


def commonly_framed(line: bytes) -> Iterator[bytes]:
    """Yield the line as a common logger would have written it, if it can be told what stands where."""
    yield from _rewritten(line)
    found = _FOUND_IN.match(line)
    if found:
        yield line[found.end() :]
        yield from _rewritten(line[found.end() :])


def _rewritten(line: bytes) -> Iterator[bytes]:
    text = line.decode("utf-8", "replace")
    stamp = _STAMP.match(text)
    between = stamp and _BETWEEN.match(text, stamp.end())
    time = _time_of(stamp) if stamp else None
    if between and time:
        host = f"{between['host']} " if between["host"] else ""
        yield f"{time} {host}{between['tag']}{text[between.end() :]}".encode()


def _time_of(stamp: re.Match[str]) -> str | None:
    """Return a stamp in ISO 8601, or as in RFC 3164 where it has no year."""
    if stamp["year"]:
        date, clock, parts = f"{stamp['year']}-{stamp['number']}-{stamp['date']}", stamp["time"], stamp["parts"]
        return f"{date}T{clock}{_fraction(parts)}{(stamp['zone'] or '').replace('UTC', 'Z')}"
    number = _NUMBERS.get(stamp["month"].lower().rstrip("."))
    if number is None:
        return None
    years = {year for year in (stamp["before"], stamp["middle"], stamp["after"]) if year}
    clock = f"{stamp['clock']}{_fraction(stamp['fraction'])}"
    if not years:
        return f"{_ENGLISH[number - 1]} {int(stamp['day']):2} {clock}"
    return f"{years.pop()}-{number:02}-{int(stamp['day']):02}T{clock}" if len(years) == 1 else None


def _fraction(parts: str | None) -> str:
    """Return a fraction of a second with no more digits than a frame's may have."""
    return f".{parts[1:7]}" if parts else ""
