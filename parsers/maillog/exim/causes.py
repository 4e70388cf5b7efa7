"""Why the last attempts failed: a line that says that the retry time is over does not tell."""

from maillog.model import Cause

CAUSES_LIMIT = 20_000


class Causes(dict[str, Cause]):
    """By what stands for an address of a message, and for a domain; the youngest last."""

    def remember(self, key: str, cause: Cause) -> None:
        """Note why an attempt failed."""
        self.pop(key, None)
        self[key] = cause
        if len(self) > CAUSES_LIMIT:
            del self[next(iter(self))]


def domain_key(domain: str | None) -> str:
    """Return what stands for a domain."""
    return f"@{domain}"
