"""Values that a reader carries over a cut, as JSON and back without loss."""

from datetime import datetime

from maillog.errors import CarryError
from maillog.model import (
    Authentication,
    Cause,
    Delivery,
    Direction,
    Evidence,
    JsonValue,
    Level,
    Mta,
    Outcome,
    Relay,
    Result,
    Scope,
    Security,
    Source,
    Tls,
)


def delivery_to_json(delivery: Delivery) -> JsonValue:
    """Return the delivery as nested lists."""
    time, *rest = delivery
    return [time.isoformat(), *(list(part) if isinstance(part, tuple) else part for part in rest)]


def delivery_from_json(value: JsonValue) -> Delivery:
    """Return the delivery that :func:`delivery_to_json` wrote. Raises CarryError where it is none."""
    try:
        return _delivery(value)
    except (ValueError, TypeError) as error:
        raise CarryError("A saved reading state holds a delivery that this version cannot read.") from error


def _delivery(value: JsonValue) -> Delivery:
    # Written by us from the same types; the enum constructors reject anything else.
    time, source, queue_id, direction, domain, relay, tls, result, level, *rest = value
    mta, host, instance = source
    mx_host, ip, port, scope = relay
    security, authentication, evidence, protocol, cipher = tls
    outcome, dsn, cause, *earlier = result
    return Delivery(
        datetime.fromisoformat(time),
        Source(Mta(mta), host, instance),
        queue_id,
        Direction(direction),
        domain,
        Relay(mx_host, ip, port, scope and Scope(scope)),
        Tls(
            Security(security), authentication and Authentication(authentication), Evidence(evidence), protocol, cipher
        ),
        Result(Outcome(outcome), dsn, cause and Cause(cause), *earlier),  # older states do not tell
        level and Level(level),
        *rest,  # states of older versions have no sender_domain, or do not tell of the connection
    )
