"""One Exim: what it sends and what it takes, from the same lines."""

from maillog.exim.arrivals import Arrivals, only_inbound
from maillog.exim.deliveries import EximDeliveries
from maillog.model import Delivery, Found, JsonValue, Record, Source
from maillog.scope import IpNetwork


class EximBothWays:
    """The state of one Exim, see :class:`maillog.model.DeliveryReader`; that of what it sends, arrivals need none."""

    def __init__(self, source: Source, internet: tuple[IpNetwork, ...] = ()) -> None:
        self.outbound = EximDeliveries(source)
        self.arrivals = Arrivals(source, internet)

    def feed(self, record: Record) -> list[Found]:
        """Take the next record; return what is now known."""
        arrived = self.arrivals.read(record)
        found: list[Found] = [] if arrived is None else [arrived]
        # Of a mail that came in only the cipher says something about what is sent: that ciphers are logged.
        if " X=" in record.text or not only_inbound(record.text):
            found += self.outbound.feed(record)
        return found

    def held(self) -> list[Delivery]:
        """Return what waits, judged as if the log ended here."""
        return self.outbound.held()

    def missed(self) -> list[Delivery]:
        """Note that lines are missing here; return what is decided by that."""
        return self.outbound.missed()

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return self.outbound.carry()

    def restore(self, carry: JsonValue) -> None:
        """Put back what :meth:`carry` gave. Raises CarryError where it does not fit."""
        self.outbound.restore(carry)
