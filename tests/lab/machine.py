"""
A machine for one run of one MTA: a Debian root, a namespace of the lab's network, and folders of its own.

Each command gets its own mount namespace with the run's folders laid over the root, so the root is never changed,
several runs can share it, and nothing stays mounted. It gets a PID namespace besides: when the first process in it
ends, all do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HOST_NAME = "mail"
_DAEMON_OUT = "daemon.out"
_ENTER = """
hostname "$1"; root=$2; shift 2
while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; shift 2; done; shift
mount -t proc proc "$root/proc"
mount -t tmpfs tmp "$root/tmp"
chroot "$root" "$@"
exit $?
"""
# The shell stays as the first process of its PID namespace: the kernel ends it with its parent and then all others,
# which it would not do for a set-user-ID program such as Exim (PR_SET_PDEATHSIG, prctl(2)).
# Runs at the same time have processes of the same number, by which NSD names its files in /tmp: two of them that start
# together would end one another.


def cache_folder() -> Path:
    """Return where ``install.sh`` puts the roots: ``TLSMON_LAB_CACHE``, or a folder in the user's cache."""
    return Path(os.environ.get("TLSMON_LAB_CACHE") or Path.home() / ".cache" / "tlsmon-lab")


def missing_pieces(root_name: str) -> str | None:
    """Tell in words what keeps a root from being used, or None."""
    if os.geteuid() != 0:
        return "the lab must be run as root, for network namespaces and chroots"
    if not (cache_folder() / root_name / "lab-complete").exists():
        return f"there is no {root_name} in {cache_folder()}; make lab installs it"
    return None


@dataclass
class Machine:
    """A root in a network namespace. ``run`` and ``start`` execute in it; ``stop`` ends all that was started."""

    root: Path
    namespace: str
    folder: Path
    """Of this run; receives the folders that are laid over the root."""
    _mounts: dict[str, Path] = field(default_factory=dict)
    _daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def overlay(self, inside: str) -> Path:
        """Give the run its own copy of the root's folder ``inside`` and return where it lies."""
        copy = self.folder / inside.strip("/").replace("/", "-")
        # cp, unlike shutil, keeps owners: spools belong to the MTA's user.
        subprocess.run(["cp", "--archive", f"{self.root}{inside}", copy], check=True)
        self._mounts[inside] = copy
        return copy

    def replace_file(self, inside: str, text: str) -> None:
        """Let the run see ``text`` in the root's file ``inside``, which must exist."""
        copy = self.folder / inside.strip("/").replace("/", "-")
        copy.write_text(text)
        copy.chmod(0o644)
        self._mounts[inside] = copy

    def _enter(self, words: list[str], *unshare: str) -> list[str]:
        pairs = [part for inside, outside in self._mounts.items() for part in (str(outside), inside)]
        isolate = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", *unshare]
        shell = ["sh", "-euc", _ENTER, "lab", HOST_NAME, str(self.root), *pairs, "--", *words]
        return ["ip", "netns", "exec", self.namespace, *isolate, *shell]

    def run(self, words: list[str]) -> str:
        """Run a command to its end and return its standard output. Raises CalledProcessError."""
        return subprocess.run(self._enter(words), check=True, capture_output=True, text=True, timeout=60).stdout

    def start(self, words: list[str]) -> None:
        """Start a daemon that stays in the foreground. What it prints goes to ``daemon.out`` in the run's folder."""
        with (self.folder / _DAEMON_OUT).open("ab") as out:
            self._daemons.append(subprocess.Popen(self._enter(words), stdout=out, stderr=out))

    def said(self) -> str:
        """Return the end of what the daemons printed, and which of them ended with what status."""
        ended = [f"\nended with status {daemon.poll()}" for daemon in self._daemons if daemon.poll() is not None]
        return (self.folder / _DAEMON_OUT).read_text(errors="replace")[-2000:] + "".join(ended)

    def stop(self) -> None:
        """End all daemons, newest first, with everything that they started."""
        while self._daemons:
            daemon = self._daemons.pop()
            daemon.kill()
            daemon.wait()

    def collect(self, inside: str, target: Path) -> None:
        """Copy a file that the run wrote below one of its overlays."""
        for mount, copy in self._mounts.items():
            if inside.startswith(f"{mount}/"):
                shutil.copyfile(copy / inside.removeprefix(f"{mount}/"), target)
                return
        raise ValueError(f"{inside} lies in no overlay of the run")
