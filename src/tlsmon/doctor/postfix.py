"""
What Postfix's configuration says: the text of ``postconf -n``, and of ``postconf -M`` below it, judged.

References are to postconf(5) unless a function is named.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Final, NamedTuple

from tlsmon.doctor.model import Finding, Weight

MAIN: Final = "/etc/postfix/main.cf"
MASTER: Final = "/etc/postfix/master.cf"
SETTINGS: Final = "the settings file of tlsmon"
POLICY_TABLE: Final = "/etc/postfix/tlsmon_policy"
RELOAD: Final = "postfix reload"
CA_LINE: Final = "smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt"
"""Where Debian has the certificates of all authorities; the text says what to do elsewhere."""
LOG_LINE: Final = "smtp_tls_loglevel = 1"

_PARAMETER: Final = re.compile(r"([A-Za-z0-9_.-]+)\s*=\s*(.*)")
_OVERRIDE: Final = re.compile(r"(\S+)/(\S+)/([a-z][A-Za-z0-9_]*)\s*=\s*(.*)")
_SERVICE: Final = re.compile(r"(\S+)\s+(inet|unix|fifo|pass|unix-dgram)(?:\s+\S+){5}\s+(\S+)(.*)")
_OPTION: Final = re.compile(r"-o\s+(?:\{\s*(\w+)\s*=\s*([^}]*?)\s*\}|(\w+)=(\S*))")
_CLIENTS: Final = frozenset({"smtp"})
"""The program whose sessions smtp_tls_security_level governs; lmtp(8) has settings of its own."""
_NO_TLS: Final = frozenset({"", "none"})
_MANDATORY: Final = frozenset({"encrypt", "verify", "secure", "fingerprint", "dane-only"})
_NAMES_CHECKED: Final = frozenset({"verify", "secure"})
_STATES_TLS: Final = (3, 11)
"""The release since which each delivery line has ``tls=``."""
_DEFAULTS: Final = {"maximal_queue_lifetime": "5d", "smtp_log_tls_feature_status": "yes", "smtp_tls_loglevel": "0"}
_OLDEST: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Service(NamedTuple):
    """A line of master.cf."""

    name: str
    type: str
    program: str
    options: Mapping[str, str]


class Postfix(NamedTuple):
    """A configuration."""

    parameters: Mapping[str, str]
    services: tuple[Service, ...]

    def value(self, name: str) -> str:
        """Return a parameter, or the default where one is known here, else an empty text."""
        return self.parameters.get(name, _DEFAULTS.get(name, ""))

    @property
    def version(self) -> tuple[int, ...] | None:
        """The release, where the text names it."""
        return _numbers(self.parameters.get("mail_version", ""))

    @property
    def level(self) -> str:
        """The security level of the SMTP client, with the older settings for it."""
        stated = self.parameters.get("smtp_tls_security_level", "")
        if stated:
            return stated
        if self.value("smtp_enforce_tls") == "yes":
            return "encrypt"
        # The default is "may" since 3.11, for a compatibility_level of 3.11 or more.
        new = (_numbers(self.value("compatibility_level")) or ()) >= _STATES_TLS
        return "may" if new or self.value("smtp_use_tls") == "yes" else "none"

    @property
    def states_tls(self) -> bool:
        """Each delivery line says what it went over, whatever smtp_tls_loglevel is."""
        # A compatibility_level of 3.11 is refused by older releases.
        newest = max(self.version or (), _numbers(self.value("compatibility_level")) or ())
        return newest >= _STATES_TLS and self.value("smtp_log_tls_feature_status") != "no"


def read(text: str) -> Postfix:
    """Read what postconf printed: ``-n``, ``-M`` and ``-P`` in any order; main.cf itself is understood, too."""
    parameters: dict[str, str] = {}
    services: list[Service] = []
    for line in _logical(text):
        if service := _SERVICE.fullmatch(line):
            services.append(Service(service[1], service[2], service[3], dict(_options(service[4]))))
        elif override := _OVERRIDE.fullmatch(line):
            services = [_overridden(each, override) for each in services]
        elif parameter := _PARAMETER.fullmatch(line):
            parameters[parameter[1]] = parameter[2].strip()
    return Postfix(parameters, tuple(services))


def judge(found: Postfix, level: str) -> Iterator[Finding]:
    """Yield what is missing for a verdict at a level, or before it is enforced."""
    for rule in _RULES:
        yield from rule(found, level)


# --- rules ------------------------------------------------------------------------------------------------------------
def _security_level(found: Postfix, _level: str) -> Iterator[Finding]:
    if found.level in _NO_TLS:
        yield Finding(
            Weight.MISSING,
            "smtp_tls_security_level",
            "Postfix sends all mail in clear, so nothing can be learnt about the recipients: smtp_tls_security_level "
            "is none. (With `may` it encrypts where the other side can, and delivers in any case.)",
            MAIN,
            ("smtp_tls_security_level = may",),
            RELOAD,
        )


def _logging(found: Postfix, level: str) -> Iterator[Finding]:
    if found.value("smtp_tls_loglevel").strip() not in {"0", ""}:
        return
    if not found.states_tls:
        text = "The log does not say which mail is encrypted: smtp_tls_loglevel is 0."
        yield Finding(Weight.MISSING, "smtp_tls_loglevel", text, MAIN, (LOG_LINE,), RELOAD)
    else:
        yield quiet(level)


def _logging_by_peer(found: Postfix, _level: str) -> Iterator[Finding]:
    """Since 3.12 servers can have log levels of their own: mail to one with level 0 would look like clear text."""
    if found.value("smtp_tls_loglevel_maps") and not found.states_tls:
        yield Finding(
            Weight.MISSING,
            "smtp_log_tls_feature_status",
            "Some servers have a TLS log level of their own (smtp_tls_loglevel_maps). Where it is 0, encrypted mail to "
            "them looks like mail in clear, because delivery lines do not say what they went over: "
            "smtp_log_tls_feature_status is no.",
            MAIN,
            ("smtp_log_tls_feature_status = yes",),
            RELOAD,
        )


def quiet(level: str) -> Finding:
    """Return the finding that a Postfix that writes ``tls=`` says nothing more about TLS."""
    weight = Weight.WARNING if level == "encrypt" else Weight.MISSING
    text = (
        "The log says which mail is encrypted (tls=), but nothing about certificates, protocols and connections that "
        "are used again: smtp_tls_loglevel is 0."
    )
    return Finding(weight, "smtp_tls_loglevel", text, MAIN, (LOG_LINE,), RELOAD)


def _certificates(found: Postfix, level: str) -> Iterator[Finding]:
    if any(found.value(name) for name in ("smtp_tls_CAfile", "smtp_tls_CApath")):
        return
    if found.value("tls_append_default_CA") == "yes":
        return
    yield authorities(level, "smtp_tls_CAfile and smtp_tls_CApath are empty")


def authorities(level: str, why: str) -> Finding:
    """Return the finding that Postfix trusts no authority."""
    return Finding(
        Weight.MISSING if level in _NAMES_CHECKED else Weight.WARNING,
        "smtp_tls_CAfile",
        f"Postfix trusts no certificate authority ({why}), so every certificate counts as untrusted, and nothing can "
        "be said about verify and secure; encrypt does not need it. The path is Debian's; Red Hat's is "
        "/etc/pki/tls/certs/ca-bundle.crt.",
        MAIN,
        (CA_LINE,),
        RELOAD,
    )


def _policy_table(found: Postfix, _level: str) -> Iterator[Finding]:
    if not found.value("smtp_tls_policy_maps"):
        yield Finding(
            Weight.NOTE,
            "smtp_tls_policy_maps",
            f"No table makes TLS mandatory for single domains yet. Once `tlsmon policy -o {POLICY_TABLE}` has written "
            "one:",
            MAIN,
            (f"smtp_tls_policy_maps = texthash:{POLICY_TABLE}",),
            RELOAD,
        )


def _dane(found: Postfix, _level: str) -> Iterator[Finding]:
    if found.level in {"dane", "dane-only"} and found.value("smtp_dns_support_level") != "dnssec":
        yield Finding(
            Weight.WARNING,
            "smtp_dns_support_level",
            f"smtp_tls_security_level is {found.level}, but Postfix does not ask for DNSSEC, so it acts as with `may`.",
            MAIN,
            ("smtp_dns_support_level = dnssec",),
            RELOAD,
        )


def _relay(found: Postfix, _level: str) -> Iterator[Finding]:
    for name in ("relayhost", "default_transport"):
        hop = found.value(name).partition(":")[2] if name == "default_transport" else found.value(name)
        if hop and not is_near(hop):
            yield Finding(
                Weight.WARNING,
                f"relay {hop}",
                f"{name} sends all mail through {hop}. TLS can be made mandatory up to there only, and a line of the "
                f"policy table must begin with exactly this: {hop}. No log on this machine tells how mail goes on from "
                "there.",
            )


def _filters(found: Postfix, _level: str) -> Iterator[Finding]:
    settings = [found.value("content_filter"), found.value("relayhost") and f"relay:{found.value('relayhost')}"]
    settings += [service.options.get("content_filter", "") for service in found.services]
    for setting in dict.fromkeys(filter(None, settings)):
        transport, _, hop = setting.partition(":")
        service = next((one for one in found.services if one.name == transport and one.type != "inet"), None)
        program = service.program if service else transport
        excepted = service is not None and service.options.get("smtp_tls_security_level") in {"none", "may"}
        if is_near(hop) and program not in {"lmtp", "pipe"} and not excepted:
            name = service.name if service and service.name not in {"smtp", "relay"} else None
            yield local_hop(hop, name, stuck=found.level in _MANDATORY)


def local_hop(hop: str, service: str | None, *, stuck: bool = False) -> Finding:
    """Return the finding that a program on this machine is reached in clear by the SMTP client."""
    where, line = (
        (f"{MASTER}, below the line of the service {service}", "  -o smtp_tls_security_level=none")
        if service
        else (f"the table of smtp_tls_policy_maps (such as {POLICY_TABLE})", f"{hop} none")
    )
    follows = (
        "As smtp_tls_security_level is mandatory for all, no mail gets through, unless the program speaks TLS."
        if stuck
        else "A mandatory level in smtp_tls_security_level would stop all mail there. Lines for single domains in a "
        "policy table do not."
    )
    return Finding(
        Weight.WARNING,
        f"local hop {hop}",
        f"Mail passes through {hop} on this machine (a content filter, as a rule) by SMTP in clear. {follows}",
        where,
        (line,),
        RELOAD,
    )


def _services(found: Postfix, _level: str) -> Iterator[Finding]:
    for service in found.services:
        if service.program not in _CLIENTS or service.type == "inet":
            continue
        silent = service.options.get("smtp_tls_loglevel") == "0" and not found.states_tls
        if silent:
            yield Finding(
                Weight.MISSING,
                f"smtp_tls_loglevel of {service.name}",
                f"Mail through the service {service.name} is logged without TLS: its line has -o smtp_tls_loglevel=0. "
                "Unless it has a syslog_name of its own, its encrypted mail looks like mail in clear.",
                f"{MASTER}, in place of that option",
                ("  -o smtp_tls_loglevel=1",),
                RELOAD,
            )


def _protocols(found: Postfix, _level: str) -> Iterator[Finding]:
    oldest = _oldest(found.value("smtp_tls_mandatory_protocols"))
    if oldest != _OLDEST[0]:
        yield Finding(
            Weight.NOTE,
            "smtp_tls_mandatory_protocols",
            f"Where TLS is mandatory, Postfix demands {oldest} or newer here. Tell tlsmon, so that it judges by this:",
            SETTINGS,
            (f'oldest_protocol = "{oldest}"',),
        )


def _lifetime(found: Postfix, _level: str) -> Iterator[Finding]:
    value = found.value("maximal_queue_lifetime")
    days = _days(value)
    if days and days != _days(_DEFAULTS["maximal_queue_lifetime"]):
        yield Finding(
            Weight.NOTE,
            "maximal_queue_lifetime",
            f"Mail waits for {value} in the queue before it bounces, not for 5 days. Tell tlsmon, so that it judges by "
            "this:",
            SETTINGS,
            (f"queue_days = {days:g}",),
        )


_RULES: Final[tuple[Callable[[Postfix, str], Iterator[Finding]], ...]] = (
    *(_security_level, _logging, _logging_by_peer, _services, _certificates),
    *(_filters, _relay, _dane, _policy_table, _protocols, _lifetime),
)


# --- words ------------------------------------------------------------------------------------------------------------
def is_near(hop: str) -> bool:
    """
    Tell whether a next hop, as Postfix spells it, is this machine by TCP.

    >>> is_near("[127.0.0.1]:10024"), is_near("[::1]:10024"), is_near("localhost:10024"), is_near("[mx.example]:587")
    (True, True, True, False)
    """
    bracketed = re.fullmatch(r"\[(.*)\](?::\w+)?", hop)
    host = bracketed[1] if bracketed else hop.rpartition(":")[0] or hop
    if host.lower().removeprefix("ipv6:") in {"localhost", "localhost.localdomain"}:
        return True
    try:
        return ip_address(host.lower().removeprefix("ipv6:")).is_loopback
    except ValueError:
        return False


def _logical(text: str) -> Iterator[str]:
    """Yield lines with those that continue them (postconf(5): they begin with white space)."""
    line = ""
    for raw in text.splitlines():
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        if raw[0].isspace():
            line += " " + raw.strip()
            continue
        if line:
            yield line
        line = raw.strip()
    if line:
        yield line


def _options(text: str) -> Iterator[tuple[str, str]]:
    for found in _OPTION.finditer(text):
        yield found[1] or found[3], found[2] if found[1] else found[4]


def _overridden(service: Service, override: re.Match[str]) -> Service:
    if (service.name, service.type) != (override[1], override[2]):
        return service
    return service._replace(options={**service.options, override[3]: override[4].strip()})


def _numbers(text: str) -> tuple[int, ...] | None:
    found = re.match(r"(\d{1,4})(?:\.(\d{1,4}))?", text)
    return tuple(int(number or 0) for number in found.groups()) if found else None


def _oldest(protocols: str) -> str:
    """Return the oldest protocol that smtp_tls_mandatory_protocols admits, in its old and its new form."""
    bound = re.search(r">=\s*(TLSv1(?:\.[123])?)", protocols)
    if bound:
        return bound[1]
    words = re.split(r"[\s,:]+", protocols)
    named = [one for one in _OLDEST if one in words]
    if named:
        return named[0]
    return next((one for one in _OLDEST if f"!{one}" not in words), _OLDEST[0])


def _days(text: str) -> float | None:
    found = re.fullmatch(r"(\d{1,9})\s*([smhdw]?)", text.strip())
    return int(found[1]) * _SECONDS[found[2] or "d"] / _SECONDS["d"] if found else None
