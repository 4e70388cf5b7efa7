"""The table, its schema, and the documents beside it."""

import string
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from tests.tlsmon.logs import contents, day, encrypted, ingest, silent

from tlsmon.errors import TlsmonError
from tlsmon.evidence.collect import observed
from tlsmon.rollup.model import Key, Row, Span
from tlsmon.store import frame, schema
from tlsmon.store.arrow import SCHEMA, rows_of, table_of
from tlsmon.store.bookmark import Bookmark, Mark, Totals
from tlsmon.store.documents import LocalDocuments
from tlsmon.store.positions import Positions, Step
from tlsmon.store.table import ConflictError, StoreError, Table

LOG = "0123456789abcdef" * 2
PAGE = Path(__file__).parents[3] / "docs/store.md"


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Return a new, empty table."""
    return Table.open_or_create(str(tmp_path / "store"))


def test_columns_are_those_of_a_row() -> None:
    """The schema has the fields of a row, in their order; ``count`` is the deliveries of a span."""
    names = [*Key._fields, *("count" if name == "deliveries" else name for name in Span._fields)]
    assert names == [column.name for column in schema.COLUMNS]


def test_page_shows_the_columns() -> None:
    """The documentation has the table of columns that the code has."""
    assert schema.markdown() in PAGE.read_text()


def test_rows_survive_arrow(tmp_path: Path) -> None:
    """Rows come back from the table as they went in."""
    (tmp_path / "mail.log").write_bytes(day(50))
    ingest(tmp_path / "store", tmp_path / "mail.log")
    rows = contents(tmp_path / "store")
    assert sorted(rows, key=repr) == sorted(rows_of(table_of(rows)), key=repr)
    assert table_of([]).schema == SCHEMA


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    """A store of a newer version is not read, and the message says what to do."""
    DeltaTable.create(
        tmp_path / "store", SCHEMA, configuration={schema.VERSION_PROPERTY: "99"}, raise_if_key_not_exists=False
    )
    with pytest.raises(StoreError, match=r"written by a newer tlsmon \(schema 99; this version reads 3\)") as caught:
        Table.open(str(tmp_path / "store"))
    assert caught.value.hint == "Update tlsmon on this machine."


def test_older_table_gets_new_columns(tmp_path: Path) -> None:
    """A table from before a column was added is read and appended to as any other; old rows have null there."""
    place = str(tmp_path / "store")
    (tmp_path / "mail.log").write_bytes(day(50))
    ingest(tmp_path / "whole", tmp_path / "mail.log")
    rows = list(contents(tmp_path / "whole"))
    settings = {schema.VERSION_PROPERTY: "1"}
    old = SCHEMA.remove(SCHEMA.get_field_index("earlier"))
    DeltaTable.create(place, old, configuration=settings, raise_if_key_not_exists=False)
    write_deltalake(place, table_of(rows).drop_columns(["earlier"]), mode="append")
    Table.open_or_create(place).append([row._replace(key=row.key._replace(earlier="192.0.2.1")) for row in rows], {})
    found = Table.open(place).query("SELECT earlier, SUM(count) AS n FROM rows GROUP BY earlier ORDER BY earlier")
    number = sum(row.span.deliveries for row in rows)
    assert found.to_pylist() == [{"earlier": "192.0.2.1", "n": number}, {"earlier": None, "n": number}]
    assert set(frame.deliveries(Table.open(place))["earlier"].dropna()) == {"192.0.2.1"}


def test_connections_of_older_rows(tmp_path: Path) -> None:
    """Version 2 did not count connections: there was one for each attempt, as far as is known."""
    (tmp_path / "mail.log").write_bytes(day(50))
    ingest(tmp_path / "whole", tmp_path / "mail.log")
    rows = [row._replace(span=row.span._replace(connections=1)) for row in contents(tmp_path / "whole")]
    place = str(tmp_path / "store")
    old = SCHEMA.remove(SCHEMA.get_field_index("connections"))
    DeltaTable.create(place, old, configuration={schema.VERSION_PROPERTY: "2"}, raise_if_key_not_exists=False)
    write_deltalake(place, table_of(rows).drop_columns(["connections"]), mode="append")
    number = sum(row.span.deliveries for row in rows)
    assert frame.deliveries(Table.open(place))["connections"].sum() == number
    Table.open_or_create(place).append(rows, {})
    assert Table.open(place).query("SELECT SUM(connections) AS n FROM rows").to_pylist() == [{"n": len(rows)}]
    assert frame.deliveries(Table.open(place))["connections"].sum() == number + len(rows)
    seen = observed(Table.open(place), datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
    assert (seen.attempts.sum(), seen.connections.sum()) == (2 * number, number + len(rows))


def _commit(place: str) -> None:
    Table.open_or_create(place).append([], {})


def at_once(works: Sequence[Callable[[], object]]) -> None:
    """Do something in several threads at the same moment; deltalake runs beside the interpreter."""
    ready = Barrier(len(works))

    def when_all_are_ready(work: Callable[[], object]) -> None:
        ready.wait()
        work()

    with ThreadPoolExecutor(len(works)) as threads:
        for done in [threads.submit(when_all_are_ready, work) for work in works]:
            done.result()


def test_a_table_begins_once(tmp_path: Path) -> None:
    """Of several processes that make a new store one does; a second beginning would stop the commits of the first."""
    for number in range(20):
        place = str(tmp_path / str(number))
        at_once([partial(_commit, place)] * 6)
        assert [entry["operation"] for entry in DeltaTable(place).history()] == ["WRITE"] * 6 + ["CREATE TABLE"]


def test_a_table_is_brought_up_to_date_once(tmp_path: Path) -> None:
    """Several processes that find a table of an older version all go on with it."""
    old = SCHEMA.remove(SCHEMA.get_field_index("earlier"))
    for number in range(10):
        place = str(tmp_path / str(number))
        DeltaTable.create(place, old, configuration={schema.VERSION_PROPERTY: "1"}, raise_if_key_not_exists=False)
        at_once([partial(Table.open_or_create, place)] * 6)
        table = DeltaTable(place)
        assert "earlier" in [field.name for field in table.schema().fields]
        assert table.metadata().configuration[schema.VERSION_PROPERTY] == str(schema.VERSION)


def test_compacted_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes that put the same files together, while others commit, lose no row and write none twice."""
    monkeypatch.setattr("tlsmon.store.table._SMALL_FILES", 8)
    (tmp_path / "mail.log").write_bytes(day(50))
    ingest(tmp_path / "whole", tmp_path / "mail.log")
    rows = list(contents(tmp_path / "whole"))
    place = str(tmp_path / "store")
    for _ in range(10):
        Table.open_or_create(place).append(rows, {})
    tables = [Table.open(place) for _ in range(5)]  # of the same moment, whoever comes first
    at_once([*(table.compact for table in tables), partial(Table.open(place).append, rows, {})])
    Table.open(place).compact()
    operations = [entry["operation"] for entry in DeltaTable(place).history()]
    assert "OPTIMIZE" in operations
    found = Table.open(place).query("SELECT SUM(count) AS n FROM rows").to_pylist()
    assert found == [{"n": 11 * sum(row.span.deliveries for row in rows)}]


def test_a_log_that_was_handed_over_meanwhile(table: Table) -> None:
    """Its offset is the same, and still nobody goes on with it: its provisional rows are another's now."""
    states = [Bookmark(10, (Mark.of(10, b"x"),), carry={"a": 1}), Bookmark(20, (Mark.of(20, b"y"),), carry={"a": 2})]
    mine = Positions(table)
    mine.commit([], [Step(LOG, None, states[0])])
    others = Positions(Table.open(table.location))
    found = others.bookmark(LOG)
    assert found == states[0]
    others.commit([], [Step(LOG[::-1], None, Bookmark(5)), Step(LOG, found, found.handed_over())])
    table.refresh()
    with pytest.raises(ConflictError):
        mine.commit([], [Step(LOG, *states)])
    assert Positions(table).bookmark(LOG) == states[0].handed_over()


def test_foreign_table_is_refused(tmp_path: Path) -> None:
    """A Delta table of somebody else is neither read nor written."""
    write_deltalake(tmp_path / "store", pa.table({"a": [1]}))
    with pytest.raises(StoreError, match="was not made by tlsmon"):
        Table.open_or_create(str(tmp_path / "store"))


def test_no_store_is_told(tmp_path: Path) -> None:
    """Where there is no store, reading says how to make one, and makes none."""
    with pytest.raises(StoreError, match="there is no store yet"):
        Table.open(str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


REFUSED = "[]^|%\\\t\n\x7f\udcff"


@pytest.mark.parametrize("char", sorted({*string.punctuation, " ", "é"} - {*REFUSED, "/"}))
def test_odd_paths(tmp_path: Path, char: str) -> None:
    """A store is in the directory that was named, though deltalake makes URLs of paths."""
    place = tmp_path / f"a{char}20b"
    (tmp_path / "mail.log").write_bytes(day(5))
    ingest(place, tmp_path / "mail.log")
    assert contents(place)
    assert {path.name for path in tmp_path.iterdir()} == {"mail.log", place.name}


@pytest.mark.parametrize("char", REFUSED)
def test_paths_that_make_no_url(tmp_path: Path, char: str) -> None:
    """It is said that a store cannot be there, and nothing is made elsewhere."""
    with pytest.raises(StoreError, match="a store cannot be in a directory with "):
        Table.open_or_create(str(tmp_path / f"a{char}20b"))
    assert not list(tmp_path.iterdir())


def test_competitor_is_noticed(table: Table) -> None:
    """Of two commits of the same log from the same state the second is refused, whatever its offset."""
    other = Table.open(table.location)
    Positions(table).commit([], [Step(LOG, None, Bookmark(10, (Mark.of(10, b"x"),)))])
    with pytest.raises(ConflictError):
        Positions(other).commit([], [Step(LOG, None, Bookmark(20, (Mark.of(20, b"y"),)))])
    other.refresh()
    found = Positions(other).bookmark(LOG)
    assert found is not None
    assert found.offset == 10


def test_competitor_is_noticed_though_the_table_moved_on(table: Table) -> None:
    """A position that was moved by another process is not moved again, however new the table is in memory."""
    other = Table.open(table.location)
    before = Positions(other).bookmark(LOG)
    Positions(table).commit([], [Step(LOG, None, Bookmark(10))])
    other.refresh()
    with pytest.raises(ConflictError):
        Positions(other).commit([], [Step(LOG, before, Bookmark(20))])
    assert Positions(other).bookmark(LOG) == Bookmark(10)


def test_other_logs_are_no_competitors(table: Table) -> None:
    """Commits of different logs from the same state both succeed."""
    other = Table.open(table.location)
    Positions(table).commit([], [Step(LOG, None, Bookmark(10))])
    Positions(other).commit([], [Step(LOG[::-1], None, Bookmark(20))])
    assert Positions(Table.open(table.location)).bookmark(LOG) == Bookmark(10)


def test_uncommitted_document_does_not_count(table: Table) -> None:
    """A document that was written before a crash, without its commit, changes nothing."""
    positions = Positions(table)
    positions.commit([], [Step(LOG, None, Bookmark(10))])
    LocalDocuments(Path(table.location) / "_carry").write(LOG, 99, Bookmark(99).to_bytes())
    assert positions.bookmark(LOG) == Bookmark(10)


def test_only_the_current_document_stays(table: Table) -> None:
    """Documents of earlier states are removed once they are superseded, also at the same offset."""
    positions = Positions(table)
    states = [Bookmark(10), Bookmark(20, carry={"a": 1}), Bookmark(20)]
    for before, after in zip([None, *states], states, strict=False):
        positions.commit([], [Step(LOG, before, after)])
    folder = Path(table.location) / "_carry" / LOG
    assert len(list(folder.iterdir())) == 1
    assert positions.bookmark(LOG) == Bookmark(20)


def test_damaged_document_is_told(table: Table) -> None:
    """A missing or changed document is an error with advice, never a silent fresh start."""
    Positions(table).commit([], [Step(LOG, None, Bookmark(10))])
    (document,) = (Path(table.location) / "_carry" / LOG).iterdir()
    document.write_bytes(document.read_bytes().replace(b"10", b"11"))
    with pytest.raises(StoreError, match="is missing or damaged"):
        Positions(table).bookmark(LOG)


def test_vacuum_leaves_the_positions_alone(tmp_path: Path) -> None:
    """Even a full vacuum without retention, as other engines may run it, does not touch the documents."""
    log, store = tmp_path / "mail.log", tmp_path / "store"
    log.write_bytes(day(50))
    ingest(store, log)
    (store / "stray.parquet").write_bytes(b"")
    removed = DeltaTable(store).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    assert removed == ["stray.parquet"]
    assert ingest(store, log).new_deliveries == 0


def test_bookmark_survives_its_document() -> None:
    """A bookmark comes back as it was; a document of another format is refused in plain words."""
    bookmark = Bookmark(7, (Mark.of(7, b"seven"),), Totals(1, 2, 3, 4, 5), {"state": [1]})
    assert Bookmark.from_bytes(bookmark.to_bytes()) == bookmark
    with pytest.raises(TlsmonError, match="this version of tlsmon cannot read"):
        Bookmark.from_bytes(b'{"format": 99}')


def test_bookmark_of_an_older_version(tmp_path: Path) -> None:
    """Its provisional rows have no number of connections; what takes them back is what they count as."""
    (tmp_path / "mail.log").write_bytes(day(1))
    ingest(tmp_path / "store", tmp_path / "mail.log")
    key = contents(tmp_path / "store")[0].key
    bookmark = Bookmark(7, held=(Row(key, Span(3, 1, 2, 1)),))
    older = bookmark.to_bytes().replace(b"[3,1,2,1]", b"[3,1,2]")
    assert Bookmark.from_bytes(bookmark.to_bytes()) == bookmark
    assert Bookmark.from_bytes(older).held == (Row(key, Span(3, 1, 2, 3)),)


def test_frame_has_the_types_of_the_schema(tmp_path: Path) -> None:
    """The DataFrame has the settled rows with the types of the schema, without provisional ones."""
    log, store = tmp_path / "mail.log", tmp_path / "store"
    # The silent delivery is provisional until a proof comes after it.
    for text in (encrypted(0) + silent(100), encrypted(0) + silent(100) + encrypted(200, 2, 300)):
        log.write_bytes(text)
        ingest(store, log)
    found = frame.deliveries(Table.open(str(store)))
    kinds = {column.name: column.kind for column in schema.COLUMNS}
    assert list(found.columns) == [name for name in kinds if name != "provisional"]
    assert [name for name in found.columns if found[name].dtype != frame.DTYPES[kinds[name]]] == []
    assert found["count"].sum() == 3
    assert len(found) == len(contents(store)) == 3
    assert (found["count"] > 0).all()


def test_personal_data_stays_out(tmp_path: Path) -> None:
    """No local part is anywhere in the store, not even of a line that is cut off in the middle."""
    log, store = tmp_path / "mail.log", tmp_path / "store"
    log.write_bytes(day(50)[:-40])
    ingest(store, log)
    files = [path for path in store.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if b"local.part" in path.read_bytes()] == []
