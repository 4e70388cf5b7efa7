"""
Settings: what the command line says, else the environment (``TLSMON_*``), else a file, else a default.

The commands know which settings there are; here the file is found and read, and what all of them share is checked.
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tlsmon.errors import TlsmonError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

SYSTEM_STORE: Final = "/var/lib/tlsmon"
USER_STORE: Final = "~/.local/share/tlsmon"
SYSTEM_FILE: Final = "/etc/tlsmon.toml"
USER_FILE: Final = "tlsmon.toml"
"""In the folder for settings of the XDG base directories."""
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

    None or nothing given means: look into ``TLSMON_STORE``, ``TLSMON_TIMEZONE``, ``TLSMON_HOST``, ``TLSMON_INTERNET``,
    then take the default. Networks may also be given separated by commas. Raises SettingError.
    """
    networks = internet or [environment.get("TLSMON_INTERNET", "")]
    name = timezone or environment.get("TLSMON_TIMEZONE")
    return Config(
        store=_store(store or environment.get("TLSMON_STORE") or None),
        zone=_zone(name) if name else _local_zone(environment),
        host=host or environment.get("TLSMON_HOST") or None,
        internet=tuple(_network(net) for text in networks for net in text.split(",") if net.strip()),
    )


def default_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the settings of this user are, if anywhere."""
    if os.geteuid() == 0:
        return Path(SYSTEM_FILE)
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / USER_FILE


def read_file(path: Path | None = None) -> tuple[Path, dict[str, Any]]:
    """
    Return the file that was read and what it says, as TOML gives it.

    None: :func:`default_file`, which need not exist. Raises SettingError for what cannot be read.
    """
    chosen = path or default_file()
    try:
        return chosen, tomllib.loads(chosen.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if path is None:
            return chosen, {}
        raise SettingError(f"{chosen}: there is no such file.", hint="Name another one with --config.") from error
    except OSError as error:
        raise SettingError(
            f"{chosen}: cannot be read ({error.strerror}).", hint="Check its permissions, or name another one."
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(
            f"{chosen}: not TOML: {error}.", hint='Text stands in quotes: store = "/srv/tls".'
        ) from error


def usual_store(environment: Mapping[str, str] = os.environ) -> str:
    """
    Return the store that the commands of this user take without an option: for notebooks.

    ``TLSMON_STORE``, else ``store`` in the file (``TLSMON_CONFIG`` or the default), else the default. Raises
    SettingError.
    """
    named = environment.get("TLSMON_CONFIG")
    stated = None if environment.get("TLSMON_STORE") else read_file(Path(named) if named else None)[1].get("store")
    if stated is not None and not isinstance(stated, str):
        raise SettingError("store: is not a text.", hint='Text stands in quotes: store = "/srv/tls".')
    return resolve(store=stated, environment=environment).store


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
