"""Files are written whole or not at all: whoever reads one meanwhile, or after a failure, finds the old one."""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tlsmon.cli.output import printable
from tlsmon.config import SettingError


@contextlib.contextmanager
def written_to(path: Path | None) -> Iterator[None]:
    """Put what is printed meanwhile into a file, once it is all there; None: leave it on standard output."""
    if path is None:
        yield
        return
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        yield
    write(path, printed.getvalue().encode())


def write(path: Path, content: bytes) -> None:
    """Write a file; a link stays one, a mode stays as it was. Raises SettingError where it cannot be written."""
    try:
        if path.exists() and not path.is_file():  # such as /dev/stdout: written, not replaced
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content)
    except OSError as error:
        raise SettingError(
            f"{printable(str(path))}: cannot be written ({error.strerror}).", hint="Name another file with -o."
        ) from error


def _replace(target: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".tlsmon-", delete=False) as file:
        new = Path(file.name)
        try:
            file.write(content)
            file.flush()
            new.chmod(target.stat().st_mode & 0o7777 if target.exists() else _usual_mode())
            new.replace(target)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def _usual_mode() -> int:
    """Return the mode that a plain open would have given; a temporary file is for its owner only."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def print_bytes(content: bytes) -> None:
    """Write to standard output, after what was printed so far."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
