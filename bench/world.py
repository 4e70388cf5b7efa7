"""
The mail world that generated logs are about: recipient domains, the hosts that take their mail, how they behave.

Made from a seed, so that everybody measures with the same logs. Names end in ``.example``, addresses are documentation
and test networks (RFC 5737, RFC 2544).
"""

import random
from itertools import accumulate
from typing import NamedTuple

DOMAINS = 20_000
PROVIDERS = 3_000

_TLS13 = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519"
_SUMMARIES = (
    f"{_TLS13} server-signature RSA-PSS (2048 bits) server-digest SHA256",
    f"{_TLS13} server-signature ECDSA (prime256v1) server-digest SHA256",
    f"{_TLS13} server-signature RSA-PSS (4096 bits) server-digest SHA256",
    "TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 bits) key-exchange X25519 server-signature ECDSA (P-256)",
    "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
    "TLSv1.2 with cipher ECDHE-ECDSA-AES128-GCM-SHA256 (128/128 bits)",
    "TLSv1 with cipher AES256-SHA (256/256 bits)",
)
_SUMMARY_WEIGHTS = (40, 20, 10, 8, 18, 3, 1)
_EXIM_CIPHERS = (
    "TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256",
    "TLS1.3:ECDHE_X25519__ECDSA_SECP256R1_SHA256__AES_256_GCM:256",
    "TLS1.3:ECDHE_SECP256R1__RSA_PSS_RSAE_SHA256__AES_256_GCM:256",
    "TLS1.3:ECDHE_X25519__ECDSA_SECP256R1_SHA256__AES_128_GCM:128",
    "TLS1.2:ECDHE_SECP256R1__RSA_SHA512__AES_256_GCM:256",
    "TLS1.2:ECDHE_SECP256R1__ECDSA_SHA256__AES_128_GCM:128",
    "TLS1.0:RSA__AES_256_CBC__SHA1:256",
)


class Host(NamedTuple):
    """One MX host."""

    name: str
    ip: str
    tls: bool
    summary: str
    """What Postfix writes of a session with it."""
    exim_cipher: str
    trusted: bool


class Domain(NamedTuple):
    """One recipient domain."""

    name: str
    hosts: tuple[Host, ...]


class World:
    """All domains, and a random choice of them by Zipf's law."""

    def __init__(self, seed: int, domains: int = DOMAINS, providers: int = PROVIDERS) -> None:
        self.random = random.Random(seed)
        farms = [self._hosts(number) for number in range(providers)]
        weights = list(accumulate(1 / (rank + 1) for rank in range(providers)))
        chosen = self.random.choices(farms, cum_weights=weights, k=domains)
        self.domains = [Domain(f"domain{number:05}.example", hosts) for number, hosts in enumerate(chosen)]
        self._weights = list(accumulate(1 / (rank + 2) for rank in range(domains)))

    def recipients(self, count: int) -> list[Domain]:
        """Return that many domains, the first ones far more often than the last ones."""
        return self.random.choices(self.domains, cum_weights=self._weights, k=count)

    def _hosts(self, number: int) -> tuple[Host, ...]:
        rng = self.random
        tls = rng.random() < 0.94
        trusted = rng.random() < 0.8
        size = rng.choice((1, 1, 2, 2, 4))
        kind = rng.choices(range(len(_SUMMARIES)), _SUMMARY_WEIGHTS)[0]
        return tuple(
            Host(
                f"mx{index + 1}.provider{number:04}.example",
                f"198.{18 + number // 2000}.{number // 8 % 250}.{number % 8 * 16 + index + 1}",
                tls,
                _SUMMARIES[kind],
                _EXIM_CIPHERS[kind],
                trusted,
            )
            for index in range(size)
        )
