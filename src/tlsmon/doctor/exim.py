"""
What Exim's configuration says: the text of ``exim -bP``, with ``-bP transports`` and ``-bP routers`` below it, judged.

References are to the specification of Exim unless a function is named.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from tlsmon.doctor.model import Finding, Weight

MAIN_SECTION: Final = (
    "the main section of Exim's configuration (Debian: MAIN_LOG_SELECTOR = ..., in /etc/exim4/exim4.conf.localmacros)"
)
RESTART: Final = "systemctl restart exim4"
CIPHER: Final = "tls_cipher"
VERIFIED: Final = "tls_certificate_verified"
_DEFAULT_SELECTORS: Final = frozenset({CIPHER, VERIFIED})
"""Of those that matter here; the second is on by default since 4.86 (globals.c)."""
_NAMES_CHECKED: Final = frozenset({"verify", "secure"})
_HEADING: Final = re.compile(r"(\S+) (transport|router|authenticator):")
_SETTING: Final = re.compile(r"\*?([a-z][a-z0-9_]*)(?: =(?: (.*))?)?")
_NEAR: Final = re.compile(r"(?<![\d.])127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\blocalhost\b|(?<![\w:])::1(?![\w:])")


class Driver(NamedTuple):
    """A transport or a router."""

    kind: str
    name: str
    options: Mapping[str, str]


class Exim(NamedTuple):
    """A configuration."""

    options: Mapping[str, str]
    drivers: tuple[Driver, ...]
    has_tls: bool
    """False only where the text says what the program was built with, and TLS is not among it."""

    def drivers_of(self, driver: str) -> Iterator[Driver]:
        """Yield the transports or routers of a kind, such as ``smtp`` or ``manualroute``."""
        return (each for each in self.drivers if each.options.get("driver") == driver)

    @property
    def selectors(self) -> frozenset[str]:
        """The log selectors in force, of those that matter here."""
        chosen = set(_DEFAULT_SELECTORS)
        for sign, name in re.findall(r"([+-])\s*(\w+)", self.options.get("log_selector", "")):
            every = set(_DEFAULT_SELECTORS) if name == "all" else {name}
            chosen = chosen | every if sign == "+" else chosen - every
        return frozenset(chosen)


def read(text: str) -> Exim:
    """Read what ``exim -bP`` printed; ``no_name`` is a switch that is off, a name alone one that is on."""
    main: dict[str, str] = {}
    drivers: list[Driver] = []
    here = main
    built = None
    for line in text.splitlines():
        heading = _HEADING.fullmatch(line.strip())
        if heading:
            here = {}
            drivers.append(Driver(heading[2], heading[1], here))
        elif line.startswith("Support for:"):
            built = line
        elif setting := _SETTING.fullmatch(line.rstrip()):
            name, value = setting[1], setting[2]
            off = "=" not in line and name.startswith("no_")
            here[name.removeprefix("no_") if off else name] = (
                "false" if off else (value or ("" if "=" in line else "true"))
            )
    has_tls = built is None or bool(re.search(r"OpenSSL|GnuTLS", built))
    return Exim(main, tuple(drivers), has_tls)


def _value(value: str | None, *, off: bool, has_one: bool) -> str:
    if has_one:
        return value or ""
    return "false" if off else "true"


def judge(found: Exim, level: str) -> Iterator[Finding]:
    """Yield what is missing for a verdict at a level, or before it is enforced."""
    for rule in _RULES:
        yield from rule(found, level)


def selector_line(now: str) -> str:
    """
    Return the line that switches on what tlsmon reads, and leaves all else as it is.

    >>> selector_line("+subject -tls_cipher")
    'log_selector = +subject +tls_cipher +tls_certificate_verified'
    """
    kept = re.sub(rf"[+-]\s*(?:{CIPHER}|{VERIFIED})\b", "", now)
    return " ".join(f"log_selector = {kept} +{CIPHER} +{VERIFIED}".split())


def _build(found: Exim, _level: str) -> Iterator[Finding]:
    if not found.has_tls:
        yield Finding(
            Weight.MISSING,
            "TLS in Exim",
            "This Exim was built without TLS: it sends all mail in clear. Install another build (Debian: "
            "exim4-daemon-light or exim4-daemon-heavy).",
        )


def _selectors(found: Exim, level: str) -> Iterator[Finding]:
    missing = _DEFAULT_SELECTORS - found.selectors
    line = selector_line(found.options.get("log_selector", ""))
    if CIPHER in missing:
        text = "The log does not say which mail is encrypted: log_selector leaves out tls_cipher (X=)."
        yield Finding(Weight.MISSING, "log_selector", text, MAIN_SECTION, (line,), RESTART)
    elif missing:
        weight = Weight.MISSING if level in _NAMES_CHECKED else Weight.WARNING
        text = "The log does not say which certificates are good: tls_certificate_verified (CV=) is off."
        yield Finding(weight, "log_selector", text, MAIN_SECTION, (line,), RESTART)


def _transports(found: Exim, level: str) -> Iterator[Finding]:
    for transport in found.drivers_of("smtp"):
        options, where = transport.options, f"the transport {transport.name}"
        avoided = options.get("hosts_avoid_tls", "")
        if avoided:
            yield Finding(
                Weight.MISSING if "*" in avoided.split(":") or avoided.strip() == "*" else Weight.WARNING,
                f"hosts_avoid_tls of {transport.name}",
                f"Mail through {where} to the hosts of hosts_avoid_tls ({avoided}) goes in clear by your own choice, "
                "so the log says nothing about what these hosts can do. To see it, leave the option empty:",
                where,
                ("hosts_avoid_tls =",),
                RESTART,
            )
        if "tls_verify_certificates" in options and not options["tls_verify_certificates"]:
            yield Finding(
                Weight.MISSING if level in _NAMES_CHECKED else Weight.WARNING,
                f"tls_verify_certificates of {transport.name}",
                f"Mail through {where} is sent without a look at certificates: tls_verify_certificates is empty, so "
                "nothing can be said about verify.",
                where,
                ("tls_verify_certificates = system",),
                RESTART,
            )


def _hidden(found: Exim, _level: str) -> Iterator[Finding]:
    for driver in found.drivers:
        if driver.options.get("disable_logging") == "true":
            yield Finding(
                Weight.MISSING,
                f"disable_logging of {driver.name}",
                f"Deliveries by the {driver.kind} {driver.name} are not logged: disable_logging is on.",
                f"the {driver.kind} {driver.name}",
                ("disable_logging = false",),
                RESTART,
            )


def _routes(found: Exim, _level: str) -> Iterator[Finding]:
    for router in found.drivers_of("manualroute"):
        route = router.options.get("route_list", "").strip()
        if _NEAR.search(route):
            transport = router.options.get("transport", "")
            yield Finding(
                Weight.WARNING,
                f"local hop of {router.name}",
                f"The router {router.name} hands mail to a program on this machine ({route}), in clear as a rule. If "
                f"TLS is made mandatory on its transport {transport} itself, except this machine. (The transports that "
                "`tlsmon policy --mta exim` writes do not touch it.)",
                f"the transport {transport}",
                ("hosts_require_tls = <; ! 127.0.0.0/8 ; ! ::1 ; *",),
                RESTART,
            )
        elif re.match(r"\*\s+\S", route):
            hop = route[1:].split()[0].rstrip(";")
            yield Finding(
                Weight.WARNING,
                f"relay {hop}",
                f"The router {router.name} sends all mail through {hop}. TLS can be made mandatory up to there only: "
                f"in its transport {router.options.get('transport', '')}, not in lists of domains. No log on this "
                "machine tells how mail goes on from there.",
            )


def _fallback(found: Exim, _level: str) -> Iterator[Finding]:
    for driver in found.drivers:
        hosts = driver.options.get("fallback_hosts", "").strip()
        if hosts:
            yield Finding(
                Weight.WARNING,
                f"fallback_hosts of {driver.name}",
                f"The {driver.kind} {driver.name} leaves mail to fallback hosts ({hosts}). If one of them takes it in "
                "clear, Exim may log the cipher of the host before on its line, so that much of this mail is unknown. "
                "Have these hosts offer STARTTLS.",
            )


def _twice(found: Exim, _level: str) -> Iterator[Finding]:
    paths = [path.strip() for path in found.options.get("log_file_path", "").split(":")]
    if "syslog" in paths and any(path != "syslog" for path in paths):
        yield Finding(
            Weight.WARNING,
            "log_file_path",
            "Each line is logged twice, to a file and to syslog. Give tlsmon only one of the two, or every mail counts "
            "twice.",
        )


def _timezone(found: Exim, _level: str) -> Iterator[Finding]:
    if found.options.get("log_timezone") == "false" and found.options.get("timezone", "").upper() != "UTC":
        yield Finding(
            Weight.NOTE,
            "log_timezone",
            "Times in the log have no zone, so when summer time ends one hour cannot be told from the next.",
            "the main section of Exim's configuration",
            ("log_timezone = true",),
            RESTART,
        )


_RULES: Final[tuple[Callable[[Exim, str], Iterator[Finding]], ...]] = (
    *(_build, _selectors, _transports, _hidden, _routes, _fallback, _twice, _timezone),
)
