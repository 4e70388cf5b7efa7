"""A store at s3://, against a real server: several processes at once, nothing lost, nothing twice."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tlsmon.logs import contents, day, encrypted, ingest, rows_in
from tests.tlsmon.object_store import client, object_store, tlsmon

from tlsmon.config import SettingError, resolve
from tlsmon.store.bookmark import Bookmark, Mark
from tlsmon.store.place import table_options
from tlsmon.store.positions import Positions, Step
from tlsmon.store.table import ConflictError, StoreError, Table

LOG = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """Run one S3 server for all tests."""
    with object_store() as environment:
        yield environment


@pytest.fixture
def s3(server: dict[str, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Return the address of a store that is not there yet, and make this process find it."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    return f"s3://mail/{request.node.name}"


def test_ingest_and_ask(server: dict[str, str], s3: str, tmp_path: Path) -> None:
    """A store in a bucket has the rows of one in a directory; what was read stays read; the commands answer."""
    log = tmp_path / "mail.log"
    log.write_bytes(day(300))
    out, err = tlsmon(server, "ingest", "--store", s3, "--timezone", "UTC", "--format", "json", log).communicate()
    assert json.loads(out)["new_deliveries"] == 300, err
    ingest(tmp_path / "local", log)
    assert rows_in(s3) == contents(tmp_path / "local")
    log.write_bytes(day(300) + encrypted(4000))
    out, err = tlsmon(server, "ingest", "--store", s3, "--timezone", "UTC", "--format", "json", log).communicate()
    assert json.loads(out)["new_deliveries"] == 1, err
    out, err = tlsmon(server, "traffic", "--store", s3, "--format", "json").communicate()
    assert sum(row["deliveries"] for row in json.loads(out)["rows"]) == 301, err


def test_many_machines_one_store(server: dict[str, str], s3: str, tmp_path: Path) -> None:
    """Several processes that bring different logs into one new store at once lose nothing and count nothing twice."""
    logs = [tmp_path / f"mx{number}.log" for number in range(4)]
    for number, log in enumerate(logs):
        log.write_bytes(b"".join(encrypted(n * 3, n % 9, host=f"mx{number}") for n in range(200)))
    running = [tlsmon(server, "ingest", "--store", s3, "--timezone", "UTC", log) for log in logs]
    said = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0] * len(logs), said
    ingest(tmp_path / "alone", *logs)
    assert rows_in(s3) == contents(tmp_path / "alone")


def test_one_log_many_readers(server: dict[str, str], s3: str, tmp_path: Path) -> None:
    """Processes that read the same log at once count each of its deliveries once."""
    log = tmp_path / "mail.log"
    log.write_bytes(day(500))
    running = [tlsmon(server, "ingest", "--store", s3, "--timezone", "UTC", log) for _ in range(3)]
    said = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0] * 3, said
    ingest(tmp_path / "alone", log)
    assert rows_in(s3) == contents(tmp_path / "alone")


def test_competitor_is_noticed(s3: str) -> None:
    """Of two commits of the same log from the same state the second is refused."""
    table = Table.open_or_create(s3)
    other = Table.open(s3)
    Positions(table).commit([], [Step(LOG, None, Bookmark(10, (Mark.of(10, b"x"),)))])
    with pytest.raises(ConflictError):
        Positions(other).commit([], [Step(LOG, None, Bookmark(20, (Mark.of(20, b"y"),)))])
    assert Positions(Table.open(s3)).logs() == [LOG]


def test_only_the_current_document_stays(server: dict[str, str], s3: str) -> None:
    """Documents of earlier states are removed, and a lost one is an error, never a silent fresh start."""
    positions = Positions(Table.open_or_create(s3))
    states = [Bookmark(10), Bookmark(20, carry={"a": 1}), Bookmark(20)]
    for before, after in zip([None, *states], states, strict=False):
        positions.commit([], [Step(LOG, before, after)])
    plain = client(server)
    prefix = s3.removeprefix("s3://mail/") + "/_carry/"
    (left,) = plain.list_objects_v2(Bucket="mail", Prefix=prefix)["Contents"]
    assert positions.bookmark(LOG) == Bookmark(20)
    plain.put_object(Bucket="mail", Key=left["Key"], Body=b"{}")
    with pytest.raises(StoreError, match="is missing or damaged"):
        positions.bookmark(LOG)


@pytest.mark.parametrize("wanted", ["traffic", "ingest"])
def test_no_bucket_no_server(server: dict[str, str], tmp_path: Path, wanted: str) -> None:
    """Where bucket or server are not there, that is said in a line, with exit code 3."""
    log = tmp_path / "mail.log"
    log.write_bytes(day(5))
    given = [log] if wanted == "ingest" else []
    nobody = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    for environment, place in ((server, "s3://nobodys-bucket/store"), (server | nobody, "s3://mail/store")):
        process = tlsmon(environment, wanted, "--store", place, *given)
        _, err = process.communicate()
        assert (process.returncode, "Traceback" in err, place in err) == (3, False, True), err


def test_commits_are_conditional_whatever_the_environment() -> None:
    """The setting that makes commits safe is not left to the environment; other stores have their own."""
    assert table_options("s3://b/x", {}) == {"conditional_put": "etag"}
    assert table_options("s3://b/x", {"AWS_ENDPOINT_URL": "http://h"}) == {
        "conditional_put": "etag",
        "aws_endpoint": "http://h",
        "allow_http": "true",
    }
    assert table_options("/var/lib/tlsmon", {}) is None
    assert table_options("gs://b/x", {}) is None


@pytest.mark.parametrize("wrong", ["s3://", "file:///tmp/x", "://x"])
def test_wrong_places_are_refused(wrong: str) -> None:
    """What looks like an address and is none is wrong use."""
    with pytest.raises(SettingError, match="is not a place for a store"):
        resolve(store=wrong, environment={})
