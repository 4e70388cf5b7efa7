"""Settings: command line over environment over defaults."""

import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tlsmon.config import SettingError, resolve, usual_store


def test_command_line_wins() -> None:
    """What is given beats the environment, which beats the default."""
    environment = {"TLSMON_STORE": "/env", "TLSMON_HOST": "env", "TLSMON_TIMEZONE": "Asia/Kathmandu"}
    given = resolve(store="/given", host="given", timezone="Europe/Berlin", environment=environment)
    assert (given.store, given.host, given.zone) == ("/given", "given", ZoneInfo("Europe/Berlin"))
    found = resolve(environment=environment)
    assert (found.store, found.host, found.zone) == ("/env", "env", ZoneInfo("Asia/Kathmandu"))


def test_default_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store of root is the system's, that of others is in their home."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert resolve(environment={}).store == "/var/lib/tlsmon"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/anna")
    assert resolve(environment={}).store == "/home/anna/.local/share/tlsmon"


def test_usual_store(tmp_path: Path) -> None:
    """A notebook finds the store of the settings file, as the commands do; the variable wins over it."""
    file = tmp_path / "tlsmon.toml"
    file.write_text('store = "/srv/tls"\n')
    assert usual_store({"TLSMON_CONFIG": str(file)}) == "/srv/tls"
    assert usual_store({"TLSMON_CONFIG": str(file), "TLSMON_STORE": "/env"}) == "/env"
    file.write_text("")
    assert usual_store({"TLSMON_CONFIG": str(file)}) == resolve(environment={}).store
    file.write_text("store = 5\n")
    with pytest.raises(SettingError):
        usual_store({"TLSMON_CONFIG": str(file)})


def test_networks() -> None:
    """Networks come from repeated options or a list in the environment; host bits do not matter."""
    found = resolve(environment={"TLSMON_INTERNET": "10.1.2.3/8, fd00::/8"}).internet
    assert [str(network) for network in found] == ["10.0.0.0/8", "fd00::/8"]
    assert str(resolve(internet=["192.0.2.1"]).internet[0]) == "192.0.2.1/32"


def test_zone_of_the_machine() -> None:
    """TZ names the zone of stamps without one; a zone knows its summer time."""
    zone = resolve(environment={"TZ": ":Europe/Berlin"}).zone
    hours = {datetime(2026, month, 1, tzinfo=zone).astimezone(UTC).hour for month in (1, 7)}
    assert hours == {22, 23}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"timezone": "Mars/Olympus"}, "'Mars/Olympus' is not a time zone that this machine knows."),
        ({"timezone": "../../etc/passwd"}, "'../../etc/passwd' is not a time zone that this machine knows."),
        ({"internet": ["10.0.0.0/99"]}, "'10.0.0.0/99' is not a network."),
    ],
    ids=["zone", "path", "network"],
)
def test_wrong_settings(wrong: dict[str, str], said: str) -> None:
    """A setting that makes no sense is told with its value."""
    with pytest.raises(SettingError) as caught:
        resolve(**wrong, environment={})
    assert str(caught.value) == said
    assert caught.value.hint
