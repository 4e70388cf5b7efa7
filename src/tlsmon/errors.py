"""The errors that tlsmon shows to people."""


class TlsmonError(Exception):
    """
    Base of all errors of tlsmon.

    Its text says what happened and where; ``hint`` says what to do about it.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
