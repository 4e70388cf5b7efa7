"""What can go wrong while reading logs. A line that cannot be read is a counted value, not an error."""


class MaillogError(Exception):
    """Base of everything that maillog raises; its text says what happened, where, and what to do."""


class UnreadableSourceError(MaillogError):
    """A file cannot be opened, or ends or breaks inside its compression. What could be read was given before."""


class DamagedSourceError(UnreadableSourceError):
    """Compressed data is damaged, not only cut off: what was read before that may be wrong, too."""


class CarryError(MaillogError):
    """A saved reading state does not fit this version or this log."""
