"""Lines as Postfix writes them, put together for one case at a time, and what is read from them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from maillog import Delivery, LogReader, ReadSettings
from maillog.reading import Reading

SETTINGS = ReadSettings(latest=datetime(2026, 11, 30, tzinfo=UTC))
MX = "mx.good.test[203.0.113.1]:25"
OTHER = "mx.other.test[203.0.113.2]:25"
TLS13 = (
    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 server-signature ECDSA (prime256v1)"
)
START = "master[1]: daemon started -- version 3.7.11, configuration /etc/postfix"
QID, QID2 = "7D959244159", "93ECE2441C7"
NOT_OFFERED = "TLS is required, but was not offered by host mx.good.test[203.0.113.1]"
LATE = "delay=400, delays=399/0.03/0.12/0.05"
DELAYS = "delay=0.22, delays=0.02/0.03/0.12/0.05"
OK = "status=sent (250 2.0.0 Ok: queued as ABC123)"


class Clock:
    """Gives each line its stamp: one second after the line before, if nothing else is said."""

    def __init__(self, start: str = "10:00:00") -> None:
        hours, minutes, seconds = map(int, start.split(":"))
        self._now = hours * 3600 + minutes * 60 + seconds

    def __call__(self, text: str, after: float = 1, host: str = "mail", instance: str = "postfix") -> str:
        """Return a whole line: ``text`` is ``smtp[1]: …``."""
        self._now += int(after)
        days, rest = divmod(self._now, 86_400)
        stamp = f"Nov {3 + days:2} {rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
        return f"{stamp} {host} {instance}/{text}"


def tls(relay: str = MX, pid: int = 1, trust: str = "Trusted", kind: str = "established", what: str = TLS13) -> str:
    """Return a TLS summary."""
    return f"smtp[{pid}]: {trust} TLS connection {kind} to {relay.lower()}: {what}"


def to(
    queue_id: str = "7D959244159",
    relay: str = MX,
    pid: int = 1,
    status: str = OK,
    *,
    recipient: str = "u@good.test",
    delays: str = DELAYS,
    tls: str | None = None,
    use: int = 1,
    dsn: str = "2.0.0",
    program: str = "smtp",
) -> str:
    """Return a delivery status line."""
    reuse = f"conn_use={use}, " if use > 1 else ""
    stated = f"tls={tls}, " if tls else ""
    return (
        f"{program}[{pid}]: {queue_id}: to=<{recipient}>, relay={relay}, {reuse}{delays}, {stated}dsn={dsn}, {status}"
    )


def deferred(reason: str) -> str:
    """Return the end of a line that defers."""
    return f"status=deferred ({reason})"


def log(*lines: str) -> bytes:
    """Return a log."""
    return "".join(f"{line}\n" for line in lines).encode()


def reading(lines: Iterable[str], settings: ReadSettings = SETTINGS) -> Reading:
    """Return what a whole log gives, with what is held at its end."""
    reader = LogReader(settings)
    result = reader.read(log(*lines))
    return result._replace(deliveries=result.deliveries + reader.held())


def deliveries(*lines: str) -> list[Delivery]:
    """Return the deliveries of a log, all of whose lines can be read, in order of time."""
    result = reading(lines)
    assert result.unread == []
    return sorted(result.deliveries, key=lambda delivery: delivery.time)


def securities(*lines: str) -> list[str]:
    """Return the security of each delivery of a log, in order of time."""
    return [delivery.tls.security.value for delivery in deliveries(*lines)]


def from_start(*texts: str) -> list[str]:
    """Return the lines of a log that begins with Postfix and where TLS logging is on all the time."""
    at = Clock()
    proof = [tls(OTHER, pid=99), to("AAAAAA0001", OTHER, pid=99)]
    proof_again = [tls(OTHER, pid=100), to("AAAAAA0002", OTHER, pid=100)]
    return [at(text) for text in (START, *proof, *texts, *proof_again)]


def between(*texts: str) -> list[str]:
    """Return the securities of the deliveries in ``texts``, with TLS logging proven to be on before and after."""
    return securities(*from_start(*texts))[1:-1]
