"""What comes in, from the log to the answer: traffic by sender and client, and who would be refused."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from tests.tlsmon.logs import contents, day, ingest, line

from tlsmon import api, config
from tlsmon.api import Direction, Group, Recommendation, Store, Traffic, Verdict
from tlsmon.errors import TlsmonError
from tlsmon.store import schema
from tlsmon.store.arrow import SCHEMA, table_of
from tlsmon.store.table import Table

SAMPLE = Path(__file__).parents[3] / "sample_logs" / "inbound-postfix-3.7"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store with what a real Postfix took."""
    settings = config.resolve(store=str(tmp_path_factory.mktemp("inbound") / "store"), timezone="UTC")
    api.ingest(settings, [str(SAMPLE / "mail.log")])
    return Store(settings.store)


def truth() -> list[dict[str, object]]:
    """Return what the clients saw of mail that was accepted at port 25."""
    rows = map(json.loads, (SAMPLE / "truth.jsonl").read_text().splitlines())
    return [row for row in rows if row["port"] == 25]


def test_traffic_is_what_clients_saw(sample: Store) -> None:
    """All mail of others counts once; our own users' and our own machine's does not."""
    found = sample.traffic(direction=Direction.INBOUND)
    encrypted = sum(bool(row["tls"]) for row in truth())
    total = found.total
    assert (total.sent, total.encrypted, total.plaintext, total.unknown) == (
        len(truth()), encrypted, len(truth()) - encrypted, 0,
    )  # fmt: skip
    assert total.deliveries == total.sent + 4  # handshakes that failed
    assert api.sentence(found).endswith(f"were encrypted; {total.plaintext} came in clear.")
    assert found.silences == []


def test_by_domain_and_client(sample: Store) -> None:
    """A group for each sender that is claimed, and for each client."""
    domains = {row.group: row.counts for row in sample.traffic(group=Group.DOMAIN, direction=Direction.INBOUND).rows}
    senders = [str(row["sender"]).rpartition("@")[2].lower() or "<>" for row in truth()]
    assert {name: counts.sent for name, counts in domains.items() if name} == {
        name: senders.count(name) for name in senders
    }
    assert domains[None].deliveries == 4
    clients = {row.group for row in sample.traffic(group=Group.CLIENT, direction=Direction.INBOUND).rows}
    assert {"mx1.partner.example", "203.0.113.0"} <= clients
    providers = {row.group for row in sample.traffic(group=Group.PROVIDER, direction=Direction.INBOUND).rows}
    assert {"partner.example", "hoster.example", "203.0.113.0"} <= providers
    only = sample.traffic(domain="Clear.example", direction=Direction.INBOUND).total
    assert (only.sent, only.encrypted) == (senders.count("clear.example"), 0)
    assert sample.traffic(domain="<>", direction=Direction.INBOUND).total.sent == senders.count("<>")


def judged(found: Recommendation, domain: str) -> api.Judgement:
    """Return the judgement of a domain."""
    return next(item for item in found.judgements if item.domain == domain)


def test_who_would_be_refused(sample: Store) -> None:
    """Whoever sent in clear would be refused and not sent another way; too few mails prove nothing."""
    found = sample.recommend(direction=Direction.INBOUND)
    clear = judged(found, "clear.example")
    assert clear.verdict is Verdict.LOSES
    assert clear.fates.lost == clear.mails == clear.plaintext
    assert "out.clear.example sent mail in clear" in " ".join(clear.reasons)
    partner = judged(found, "partner.example")
    assert partner.verdict is Verdict.LOSES  # somebody else sends in its name, in clear
    assert partner.fates.lost == partner.plaintext == 6
    assert "203.0.113." in " ".join(partner.reasons)
    assert judged(found, "shop0.example").verdict is Verdict.UNPROVEN
    assert found.waves == []
    lenient = sample.recommend(thresholds=api.Thresholds(max_share=1), direction=Direction.INBOUND)
    assert judged(lenient, "shop0.example").verdict is Verdict.SAFE
    assert f"{sum(item.fates.lost for item in found.judgements)} of {found.coverage.mails} mails" in api.headline(found)


def test_many_clients(tmp_path: Path) -> None:
    """A forwarder with one mail does not keep a domain of hundreds from being safe; one mail in clear does."""

    def session(number: int, client: str, *, clear: bool = False) -> bytes:
        who = f"{client}.example[198.51.{sum(client.encode()) % 250}.9]"
        tls = f"Anonymous TLS connection established from {who}: TLSv1.3 with cipher TLS_AES_128_GCM (128/128 bits)"
        program = "postfix/smtpd"
        texts = [f"connect from {who}", *([] if clear else [tls]), f"{number:X}F0AA: client={who}"]
        end = "ehlo=1 mail=1 commands=3" if clear else "ehlo=2 starttls=1 mail=1 commands=5"
        lines = [line(number, text, 7, program) for text in (*texts, f"disconnect from {who} {end}")]
        return b"".join(lines) + line(
            number, f"{number:X}F0AA: from=<x@many.example>, size=1, nrcpt=1 (queue active)", 8, "postfix/qmgr"
        )

    log = b"".join(session(number, f"mx{number % 2}") for number in range(1000)) + session(2000, "forwarder")
    (tmp_path / "mail.log").write_bytes(log)
    ingest(tmp_path / "store", tmp_path / "mail.log")
    (found,) = Store(str(tmp_path / "store")).recommend(direction=Direction.INBOUND).judgements
    assert (found.verdict, found.mails, len(found.mx_hosts)) == (Verdict.SAFE, 1001, 3)
    (tmp_path / "mail.log").write_bytes(log + session(2001, "printer", clear=True))
    ingest(tmp_path / "store", tmp_path / "mail.log")
    (found,) = Store(str(tmp_path / "store")).recommend(direction=Direction.INBOUND).judgements
    assert (found.verdict, found.fates.lost) == (Verdict.LOSES, 1)
    assert "printer.example" in " ".join(found.reasons)


def test_only_one_level(sample: Store) -> None:
    """Clients need no certificate, so nothing but encryption can be demanded."""
    with pytest.raises(TlsmonError, match="only the level encrypt"):
        sample.recommend(api.Level.VERIFY, direction=Direction.INBOUND)


def outbound_answers(store: Store) -> list[object]:
    """Return all that is said of mail that was sent."""
    traffic: list[Traffic] = [store.traffic(group=group) for group in (None, Group.DOMAIN, Group.PROVIDER, Group.HOST)]
    report = store.report()
    return [
        traffic, store.recommend(), store.policy(), store.watch(),
        store.backtest(api.Walk(api.Level.ENCRYPT, days=1, horizon=1)),
        [section for section in report.sections if "Coverage" not in section.title],
    ]  # fmt: skip


def test_outbound_answers_stay_as_they_are(tmp_path: Path) -> None:
    """Mail that comes in changes nothing of what is said of mail that goes out."""
    sent = day(200)
    took = (SAMPLE / "mail.log").read_bytes()
    (tmp_path / "sent.log").write_bytes(sent)
    (tmp_path / "took.log").write_bytes(took)
    ingest(tmp_path / "alone", tmp_path / "sent.log")
    ingest(tmp_path / "both", tmp_path / "sent.log", tmp_path / "took.log")
    alone, both = (Store(str(tmp_path / name)) for name in ("alone", "both"))
    assert both.traffic(direction=Direction.INBOUND).total.sent > 100
    assert outbound_answers(both) == outbound_answers(alone)


def test_store_of_version_1(tmp_path: Path) -> None:
    """A store without the column can be read as it is, and is brought up to date by the first ingest."""
    (tmp_path / "sent.log").write_bytes(day(50))
    ingest(tmp_path / "new", tmp_path / "sent.log")
    rows = table_of(contents(tmp_path / "new")).drop_columns(["sender_domain"])
    old = pa_schema_without_sender()
    DeltaTable.create(
        tmp_path / "old", old, configuration={schema.VERSION_PROPERTY: "1"}, raise_if_key_not_exists=False
    )
    write_deltalake(tmp_path / "old", rows.cast(old), mode="append")
    store = Store(str(tmp_path / "old"))
    before = store.traffic()
    assert before.total.sent == 50
    assert store.traffic(direction=Direction.INBOUND).rows == []
    assert store.deliveries().sender_domain.isna().all()
    assert DeltaTable(tmp_path / "old").metadata().configuration[schema.VERSION_PROPERTY] == "1"
    Table.open_or_create(str(tmp_path / "old"))
    table = DeltaTable(tmp_path / "old")
    assert table.metadata().configuration[schema.VERSION_PROPERTY] == str(schema.VERSION)
    api.ingest(config.resolve(store=store.location, timezone="UTC"), [str(SAMPLE / "mail.log")])
    assert store.traffic(direction=Direction.INBOUND).total.sent == len(truth())
    assert store.traffic().total == before.total


def pa_schema_without_sender() -> pa.Schema:
    """Return the columns of version 1."""
    return SCHEMA.remove(SCHEMA.get_field_index("sender_domain"))


def test_advice_without_tls_logging(tmp_path: Path) -> None:
    """Where nothing is known the setting to change is that of the server, not of the client."""
    who = "a.example[198.51.100.9]"
    texts = [f"connect from {who}", f"BBBBBB0001: client={who}", f"disconnect from {who} ehlo=1 mail=1 commands=3"]
    log = b"".join(line(number, text, 7, "postfix/smtpd") for number, text in enumerate(texts))
    log += line(9, "BBBBBB0001: from=<x@a.example>, size=1, nrcpt=1 (queue active)", 8, "postfix/qmgr")
    (tmp_path / "mail.log").write_bytes(log)
    ingest(tmp_path / "store", tmp_path / "mail.log")
    (silence,) = Store(str(tmp_path / "store")).traffic(direction=Direction.INBOUND).silences
    assert "smtpd_tls_loglevel = 1" in api.advice(silence)
    assert silence.first < datetime(2026, 11, 21, tzinfo=UTC)
