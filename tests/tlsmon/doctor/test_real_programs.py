"""The real postconf and exim are asked, and the lines that the doctor gives them cure what it found."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.lab.machine import cache_folder
from tests.lab.skipping import require_root

from tlsmon.doctor import exim, postfix, programs
from tlsmon.doctor.model import Finding, Weight

pytestmark = pytest.mark.lab

Ask = Callable[[str], list[Finding]]
EXIM = """\
primary_hostname = here.example
log_selector = +subject -tls_cipher
begin routers
smarthost:
  driver = manualroute
  route_list = * smtp.isp.example::587 byname
  transport = smart
begin transports
smart:
  driver = smtp
  hosts_avoid_tls = *
"""


@pytest.fixture
def folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Return a folder of the root that the test names, and let its programs be found instead of this machine's."""
    name = request.param
    require_root(name)
    root = cache_folder() / name
    place = Path(tempfile.mkdtemp(dir=root / "tmp"))
    place.chmod(0o755)
    inside = f"/{place.relative_to(root)}"
    for program, options in (("postconf", f"-c {inside}"), ("exim4", f"-C {inside}/exim.conf")):
        script = tmp_path / program
        script.write_text(f'#!/bin/sh\nexec chroot {root} {program} {options} "$@"\n')
        script.chmod(0o755)
    monkeypatch.setattr(programs, "_PATH", f"{tmp_path}:/usr/sbin:/usr/bin")
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    yield place
    shutil.rmtree(place)


def _asked() -> dict[str, Finding]:
    text = programs.postfix()
    assert text is not None
    return {each.about: each for each in postfix.judge(postfix.read(text), "verify")}


@pytest.mark.parametrize("folder", ["postfix-bookworm", "postfix-sid"], indirect=True)
def test_postfix(folder: Path) -> None:
    """Debian's own settings, then worse ones: what is missing is found, and no longer once its lines are added."""
    root = next(parent for parent in folder.parents if parent.name.startswith("postfix-"))
    for name in ("main.cf", "master.cf"):
        shutil.copy(root / "etc/postfix" / name, folder / name)
    own = _asked()
    assert own["smtp_tls_loglevel"].weight is Weight.MISSING
    assert "smtp_tls_security_level" not in own
    assert not [about for about in own if about.startswith(("relay", "local hop"))]

    with (folder / "main.cf").open("a") as main:
        main.write("smtp_tls_security_level = none\nsmtp_tls_CApath =\nmynet = 127.0.0.1\n")
        main.write("content_filter = scan:[$mynet]:10024\nmaximal_queue_lifetime = 2d\n")
    with (folder / "master.cf").open("a") as master:
        master.write("scan unix - - n - 10 smtp\n")
    worse = _asked()
    wanted = {"smtp_tls_security_level", "smtp_tls_loglevel", "smtp_tls_CAfile", "local hop [127.0.0.1]:10024"}
    assert wanted <= set(worse)
    assert worse["maximal_queue_lifetime"].lines == ("queue_days = 2",)

    for finding in worse.values():
        place = str(finding.where).partition(",")[0]
        if place in {postfix.MAIN, postfix.MASTER}:
            with (folder / Path(place).name).open("a") as file:
                file.write("\n".join(finding.lines) + "\n")
    assert set(_asked()) == {"maximal_queue_lifetime"}


@pytest.mark.parametrize("folder", ["exim-bookworm", "exim-sid"], indirect=True)
def test_exim(folder: Path) -> None:
    """A selector that is off, a transport without TLS and a smarthost are found; with the lines put in, only it is."""
    config = folder / "exim.conf"
    config.write_text(EXIM)
    text = programs.exim()
    assert text is not None
    found = {each.about: each for each in exim.judge(exim.read(text), "encrypt")}
    assert {about: each.weight for about, each in found.items()} == {
        "log_selector": Weight.MISSING,
        "hosts_avoid_tls of smart": Weight.MISSING,
        "relay smtp.isp.example::587": Weight.WARNING,
        "log_timezone": Weight.NOTE,
    }
    cured = EXIM.replace("log_selector = +subject -tls_cipher", "\n".join(found["log_selector"].lines))
    cured = cured.replace("hosts_avoid_tls = *", found["hosts_avoid_tls of smart"].lines[0])
    config.write_text(found["log_timezone"].lines[0] + "\n" + cured)
    text = programs.exim()
    assert text is not None
    assert [each.about for each in exim.judge(exim.read(text), "encrypt")] == ["relay smtp.isp.example::587"]


@pytest.mark.parametrize("folder", ["exim-bookworm"], indirect=True)
def test_exim_takes_the_exception_for_this_machine(folder: Path) -> None:
    """The line that keeps a local filter out of mandatory TLS is one that Exim takes."""
    route = EXIM.replace("* smtp.isp.example::587 byname", "* 127.0.0.1")
    (folder / "exim.conf").write_text(route)
    local = {each.about: each for each in exim.judge(exim.read(programs.exim() or ""), "encrypt")}
    (line,) = local["local hop of smarthost"].lines
    (folder / "exim.conf").write_text(route.replace("hosts_avoid_tls = *", line))
    (smart,) = exim.read(programs.exim() or "").drivers_of("smtp")
    assert smart.options["hosts_require_tls"] == line.partition(" = ")[2]
