"""One host's Postfix: what it sends and what it takes, from the same lines."""

from datetime import timedelta

from maillog.errors import CarryError
from maillog.model import Delivery, Direction, Found, JsonValue, Record
from maillog.postfix.deliveries import PostfixDeliveries
from maillog.postfix.events import ConfigurationRead, LinesLost, read_event
from maillog.postfix.inbound import Inbound
from maillog.postfix.whole import LOSS_LASTS
from maillog.scope import IpNetwork

_INBOUND = "inbound"


class PostfixBothWays:
    """
    The state of one reporting host; see :class:`maillog.model.DeliveryReader`.

    ``internet``: networks that count as internet wherever they are. ``only``: read and carry one direction.
    """

    def __init__(self, host: str | None, internet: tuple[IpNetwork, ...] = (), only: Direction | None = None) -> None:
        self._outward = only is not Direction.INBOUND
        self._inward = only is not Direction.OUTBOUND
        self.outbound = PostfixDeliveries(host)
        self.inbound = Inbound(host, internet)

    def feed(self, record: Record) -> list[Found]:
        """Take the next record; return what is now known."""
        match record.program:
            case "smtpd":
                return self.inbound.feed(record) if self._inward else []
            case "smtp" | "lmtp" | "tlsproxy" | "local" | "virtual" | "pipe":
                return self.outbound.feed(record) if self._outward else []
        found = self.outbound.feed(record) if self._outward else []
        if self._inward:
            found += self.inbound.sender(record) if record.program == "qmgr" else self._system(record)
        return found

    def _system(self, record: Record) -> list[Delivery]:
        match read_event(record):
            case ConfigurationRead():
                return self.inbound.settings_read()
            case LinesLost(lasting):
                return self.inbound.lines_lost(record.time + (LOSS_LASTS if lasting else timedelta()))
        return []

    def held(self) -> list[Delivery]:
        """Return what waits, judged as if the log ended here."""
        held = self.outbound.held() if self._outward else []
        return held + (self.inbound.held() if self._inward else [])

    def missed(self) -> list[Delivery]:
        """Note that lines are missing here; return what is decided by that."""
        decided = self.outbound.missed() if self._outward else []
        return decided + ([*self.inbound.lines_lost(None), *self.inbound.settings_read()] if self._inward else [])

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        outbound = self.outbound.carry() if self._outward else {}
        return outbound | ({_INBOUND: self.inbound.carry()} if self._inward else {})

    def restore(self, carry: JsonValue) -> None:
        """Put back what :meth:`carry` gave. Raises CarryError where it does not fit."""
        try:
            # A reader of one direction carries no other; states of versions before know no inbound one.
            if self._outward and carry.keys() - {_INBOUND}:
                self.outbound.restore(carry)
            if self._inward and _INBOUND in carry:
                self.inbound.restore(carry[_INBOUND])
        except (KeyError, TypeError, ValueError) as error:
            raise CarryError("A saved state of a Postfix log cannot be read by this version.") from error
