"""Results of probes -> rows of the store's second table, and back."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from tlsmon.probe.document import from_document, to_document
from tlsmon.probe.model import AddressResult, Answer, DomainResult, HostResult, Passage, Rung
from tlsmon.probe.readiness import address_answers, counts
from tlsmon.store.probes import Probes

COLUMN_OF: Final = {rung: rung.value.replace("-", "_") for rung in Rung}


def remember(probes: Probes, results: Iterable[DomainResult], vantage: str) -> None:
    """Store results. ``vantage``: the name of the machine that asked. Raises StoreError."""
    probes.append([_row(result, vantage) for result in results])


def recall(probes: Probes, since: datetime, until: datetime) -> dict[str, DomainResult]:
    """Return the latest result for each domain in a time, without chains. Raises StoreError, DocumentError."""
    documents = probes.documents(since, until)
    return {domain: from_document(json.loads(document)) for domain, document in documents.items()}


def _row(result: DomainResult, vantage: str) -> dict[str, Any]:
    return {
        "time": result.time,
        "vantage": vantage,
        "domain": result.domain,
        "route": str(result.route.kind),
        "hosts_left_out": result.route.left_out,
        "resolver_validates": result.resolver_validates,
        **_answers(result.passages),
        "addresses": [row for host in result.hosts if counts(host) for row in _addresses(host, result)],
        "document": json.dumps(to_document(result), separators=(",", ":")),
    }


def _answers(passages: Iterable[Passage]) -> dict[str, str]:
    return {COLUMN_OF[passage.rung]: str(passage.answer) for passage in passages}


def _addresses(host: HostResult, result: DomainResult) -> Iterator[dict[str, Any]]:
    for address, answers in address_answers(host, result):
        yield _address(host, address, {COLUMN_OF[rung]: str(answer) for rung, answer in answers.items()})
    if not host.reached or host.addresses.left_out or host.addresses.trouble:
        yield _address(host, None, dict.fromkeys(COLUMN_OF.values(), str(Answer.UNKNOWN)))


def _address(host: HostResult, address: AddressResult | None, answers: dict[str, str]) -> dict[str, Any]:
    """Return what is known of an address; None: of further ones that were not looked at."""
    row = {"host": host.host, "preference": host.preference, **answers}
    if address is None:
        return row
    offer = address.plain
    return row | {
        "ip": address.ip,
        "port": address.port,
        "ending": str(offer.ending),
        "why": offer.why and str(offer.why),
        "protocol": offer.protocol,
        "cipher": offer.cipher,
        "trust": str(offer.trust),
        "not_after": offer.certificate and offer.certificate.not_after,
    }
