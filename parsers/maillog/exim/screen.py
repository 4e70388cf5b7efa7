"""
Which Exim lines can matter: a byte search without meaning.

A line about a message carries its id, which ends in ``-XX`` (``-XXXX`` since 4.97) and a space; what follows tells the
kind of line (``log.c:log_vwrite``). The parts of a line that syslog(3) was too narrow for begin with ``[2/3] ``.
``journalctl -o json`` shows what is no UTF-8 as a list of numbers, where nothing can be found.
"""

import re

_SEARCH = re.compile(
    rb"-[0-9A-Za-z]{2}(?:[0-9A-Za-z]{2})? "
    rb"(?:=> |-> |>> |== |\*\* |Completed|<= [^\n]* X=|H=|\[|TLS |DANE |SSL |a TLS |[^\s=\[]+ \[)"
    rb"|: callout unencrypted to "
    rb"|exim [0-9.]+[^ \n]* daemon started: "
    rb"|\[[0-9]{1,3}[/\\][0-9]{1,3}\] "
    rb"|\"MESSAGE\" ?: ?\["
).search


def relevant(line: bytes) -> bool:
    """Tell whether the line may be one that the Exim reader wants to see."""
    return _SEARCH(line) is not None
