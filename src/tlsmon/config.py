"""Settings: what the command line says, else the environment (``TLSMON_*``), else a default. One frozen value."""

import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tlsmon.errors import TlsmonError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

SYSTEM_STORE: Final = "/var/lib/tlsmon"
USER_STORE: Final = "~/.local/share/tlsmon"
_LOCALTIME: Final = Path("/etc/localtime")


class SettingError(TlsmonError):
    """A setting cannot be understood: wrong use."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings, checked."""

    store: str
    """A directory, or a place in an object store: ``s3://bucket/name``."""
    zone: tzinfo
    """Of time stamps in logs that have none."""
    host: str | None
    """The reporting host of logs that name none."""
    internet: tuple[Network, ...]
    """Networks that count as internet although they are private."""


def resolve(
    *,
    store: str | None = None,
    timezone: str | None = None,
    host: str | None = None,
    internet: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """
    Return the settings.

    None or nothing given means: look into ``TLSMON_STORE``, ``TLSMON_TIMEZONE``, ``TLSMON_HOST``, ``TLSMON_INTERNET``
    (separated by commas), then take the default. Raises SettingError.
    """
    networks = internet or [net for net in environment.get("TLSMON_INTERNET", "").split(",") if net.strip()]
    name = timezone or environment.get("TLSMON_TIMEZONE")
    return Config(
        store=_store(store or environment.get("TLSMON_STORE") or None),
        zone=_zone(name) if name else _local_zone(environment),
        host=host or environment.get("TLSMON_HOST") or None,
        internet=tuple(map(_network, networks)),
    )


def _store(name: str | None) -> str:
    location = name or (SYSTEM_STORE if os.geteuid() == 0 else USER_STORE)
    if "://" in location:
        return _object_store(location)
    return str(Path(location).expanduser().absolute())


def _object_store(location: str) -> str:
    parts = urlsplit(location)
    if not parts.scheme or not parts.netloc or parts.scheme == "file":
        raise SettingError(
            f"{location!r} is not a place for a store.",
            hint="Give a directory, or a bucket and a name in it: s3://bucket/tlsmon",
        )
    return location.rstrip("/")


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise SettingError(
            f"{text!r} is not a network.", hint="Give it as 192.0.2.0/24 or 2001:db8::/32, as often as needed."
        ) from error


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingError(
            f"{name!r} is not a time zone that this machine knows.", hint="Give a name such as Europe/Berlin or UTC."
        ) from error


def _local_zone(environment: Mapping[str, str]) -> tzinfo:
    """Return the zone of this machine with its summer times; UTC where it cannot be told."""
    name = environment.get("TZ", "").lstrip(":") or str(_LOCALTIME.resolve()).rpartition("/zoneinfo/")[2]
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    try:
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (ValueError, OSError):
        return UTC
