"""Imported by the server that forks the victims: everything is loaded, and the grammars are built."""

from tests.tlsmon.logs import READ, day

from maillog.reader import LogReader

LogReader(READ).read(day(20))
