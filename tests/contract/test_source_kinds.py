"""Sources over real servers of other kinds: a database, an SFTP server, a SOAP service."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import yaml

from tasks.connect.fields import propose
from tasks.connect.source_check import check_source
from tasks.connect.trial import load_pages
from tasks.connect.writing import proposal_text
from tasks.load.load import load
from tasks.sources.errors import (
    SourceContractError,
    SourceDenied,
    SourceFileError,
    SourceUnavailable,
)
from tasks.sources.model import Source, load_source
from tasks.sources.plan import plan
from tasks.sources.pull import pull
from tests import postgres
from tests.contract.source_files import rows
from tests.small_city import NOW, SmallCity
from warehouse.catalog import PostgresCatalog
from warehouse.lake import in_memory

MADE = """
CREATE TABLE gd (bh integer, cbdw text, zt text, pdsj timestamp, xgsj timestamptz, lxr text, lxdh text);
INSERT INTO gd SELECT n, 'D' || n % 3, CASE n % 2 WHEN 0 THEN '已办结' ELSE '办理中' END,
    timestamp '2020-01-01' + n * interval '1 day', timestamptz '2020-06-01 00:00+08' + n * interval '1 hour',
    '王小明', '13800000000' FROM generate_series(1, 40) AS n;
CREATE SEQUENCE counted
"""
RESOURCE: dict[str, Any] = {
    "name": "orders",
    "title": "工单",
    "table": "work_order",
    "query": "SELECT * FROM gd WHERE bh > 0",
    "key": "bh",
    "cursor": {"field": "xgsj", "lag": "1h", "format": "%Y-%m-%dT%H:%M:%S+08:00"},
    "fields": {
        "organ_id": {"path": "cbdw", "required": True},
        "work_order_status": {"path": "zt", "codes": "zt"},
        "dispatched_at": {"path": "pdsj", "required": True},
    },
}
CODES = {"zt": {"values": {"已办结": "closed", "办理中": "in_progress"}}}


def written(
    folder: Path, environment: dict[str, str], resource: dict[str, Any], **more: Any
) -> Source:
    raw = {"name": "kinds", "title": "业务库", "code_maps": CODES, **more, "resources": [resource]}
    file = folder / "kinds.yaml"
    file.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return load_source(file, environment)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    return SmallCity.create(tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a PostgreSQL database with a table of work orders."""
    with postgres.running(postgres.programs_or_skip()) as cluster:
        address = cluster.database("business")
        changed(address, MADE)
        yield address


def changed(address: str, sql: str) -> None:
    """Run statements at the server, as the business system does."""
    catalog = PostgresCatalog.of(address)
    with in_memory(extensions=["postgres_scanner"]) as connection:
        catalog.prepare(connection)
        catalog.attach(connection, "business")
        connection.execute("CALL postgres_execute('business', ?)", [sql])


def from_postgres(folder: Path, address: str, **changes: Any) -> Source:
    database = {"type": "postgres", "address": "${BUSINESS}"}
    return written(folder, {"BUSINESS": address}, {**RESOURCE, **changes}, database=database)


def test_a_query_is_pulled_and_then_only_what_changed(
    city: SmallCity, server: str, tmp_path: Path
) -> None:
    source = from_postgres(tmp_path, server)
    landing = tmp_path / "landing"
    first = pull(plan(source, city.lake, now=NOW)[0], landing)
    assert first.manifest.expected_rows == 40
    assert set(rows(first, "orders")[0]) == {
        "organ_id", "work_order_status", "dispatched_at", "$id", "$updated", "$at",
    }  # fmt: skip
    result = load(first, source, city.lake, now=NOW)
    assert [(one.rows_read, one.rows_rejected) for one in result.lists] == [(40, 0)]
    changed(server, "UPDATE gd SET zt = '已办结', xgsj = '2020-09-01 00:00+08' WHERE bh = 7")
    second = pull(plan(source, city.lake, now=NOW)[0], landing)
    # The newest was of 16 o'clock; the hour before it is asked for again.
    assert sorted(row["$id"] for row in rows(second, "orders")) == ["39", "40", "7"]
    load(second, source, city.lake, now=NOW)
    with city.lake.read() as connection:
        found = connection.execute(
            "SELECT work_order_status, dispatched_at::VARCHAR, source_updated_at::VARCHAR FROM core.work_order"
            " WHERE source_system = 'kinds' AND record_id = '7'"
        ).fetchall()
    assert found == [("closed", "2020-01-08 00:00:00", "2020-09-01 00:00:00")]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT nextval('counted') AS bh, cbdw, zt, pdsj, xgsj FROM gd", "read-only"),
        ("SELECT bh, cbdw, zt, pdsj, changed FROM gd", "changed"),
        ("SELECT bh, cbdw, zt, pdsj AS p, xgsj FROM gd", "没有列 pdsj"),
    ],
)
def test_a_query_reads_and_says_what_is_wrong(
    city: SmallCity, server: str, tmp_path: Path, query: str, said: str
) -> None:
    source = from_postgres(tmp_path, server, query=query)
    with pytest.raises(SourceContractError, match=said) as error:
        pull(plan(source, city.lake, now=NOW)[0], tmp_path / "landing")
    assert postgres.PASSWORD not in str(error.value)


@pytest.mark.parametrize(
    "query", ["DELETE FROM gd", "SELECT 1; DROP TABLE gd", "  -- x\n UPDATE gd SET bh = 1"]
)
def test_a_query_that_is_no_question_is_refused_at_once(tmp_path: Path, query: str) -> None:
    with pytest.raises(SourceFileError, match="query"):
        from_postgres(tmp_path, "postgresql://u@127.0.0.1/x", query=query)


def test_a_database_that_is_away_or_refuses(city: SmallCity, server: str, tmp_path: Path) -> None:
    away = from_postgres(tmp_path, "host=127.0.0.1 port=1 user=reader dbname=x password=s3cret")
    with pytest.raises(SourceUnavailable) as error:
        pull(plan(away, city.lake, now=NOW)[0], tmp_path / "landing")
    assert "s3cret" not in str(error.value)
    port = PostgresCatalog.of(server).parameters
    wrong = f"host=127.0.0.1 port={dict(port)['port']} user=nianbao dbname=business password=s3cret"
    with pytest.raises(SourceDenied) as error:
        pull(plan(from_postgres(tmp_path, wrong), city.lake, now=NOW)[0], tmp_path / "landing")
    assert "s3cret" not in str(error.value)


def test_a_mysql_server_that_is_away_is_told_as_such(city: SmallCity, tmp_path: Path) -> None:
    database = {"type": "mysql", "address": "mysql://reader:s3cret@127.0.0.1:1/city"}
    source = written(tmp_path, {}, RESOURCE, database=database)
    with pytest.raises(SourceUnavailable, match="连不上") as error:
        pull(plan(source, city.lake, now=NOW)[0], tmp_path / "landing")
    assert "s3cret" not in str(error.value)


def test_a_file_of_sqlite_is_read_and_looked_at(city: SmallCity, tmp_path: Path) -> None:
    file = sqlite3.connect(tmp_path / "业务.db")
    file.execute("CREATE TABLE gd (编号, 承办单位, 状态, 派单时间, 更新时间, 联系人)")
    file.executemany(
        "INSERT INTO gd VALUES (?, ?, ?, ?, ?, ?)",
        [
            (n, f"D{n}", "已办结", f"2020-03-{n:02d} 10:00:00", "2020-05-01", "王小明")
            for n in range(1, 9)
        ],
    )
    file.commit()
    resource = {
        **RESOURCE,
        "query": "SELECT * FROM gd",
        "key": "编号",
        "cursor": {"field": "更新时间", "lag": "1d"},
        "fields": {"organ_id": "承办单位", "dispatched_at": "派单时间"},
    }
    source = written(tmp_path, {}, resource, database={"type": "sqlite", "file": "业务.db"})
    found = next(iter(check_source(source)))
    assert (found.is_good, found.total, found.records_on_page) == (True, 8, 8)
    assert found.not_mapped == ["状态", "联系人"]
    tried = load_pages(source, city.lake, 1, NOW)
    assert (tried[0].error, tried[0].read, tried[0].rejects) == (None, 8, [])
    assert (
        len(rows(pull(plan(source, city.lake, now=NOW, full=True)[0], tmp_path / "l"), "orders"))
        == 8
    )


# ---- SFTP


class _Reader(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("reader", "pass word/3")


@contextmanager
def sftp_server(folder: Path) -> Iterator[tuple[int, str]]:
    """The port of an SFTP server that shows a folder, and its public key."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> Any:
        def shown(channel: Any) -> asyncssh.SFTPServer:
            return asyncssh.SFTPServer(channel, chroot=str(folder))

        return await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[key], server_factory=_Reader, sftp_factory=shown
        )

    listener = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
    try:
        public = key.export_public_key().decode().strip()
        yield listener.get_port(), public
    finally:
        loop.call_soon_threadsafe(listener.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def from_sftp(home: Path, port: int, host_key: str, **changes: Any) -> Source:
    place = {
        "host": "127.0.0.1",
        "port": port,
        "username": "reader",
        "password": "${SFTP_PASSWORD}",
        "host_key": host_key,
        "folder": "/台账",
        **changes,
    }
    resource = {
        "name": "registers",
        "table": "application",
        "workbook": {"sftp": place},
        "key": ["$file", "登记编号"],
        "fields": {"received_on": {"path": "收到日期", "required": True}, "organ_id": "单位"},
    }
    return written(home, {"SFTP_PASSWORD": "pass word/3"}, resource)


def test_a_folder_on_an_sftp_server(city: SmallCity, tmp_path: Path) -> None:
    served = tmp_path / "served" / "台账"
    served.mkdir(parents=True)
    for unit in ("教育局", "公安局"):
        lines = [f"{n},2020-0{n}-05,{unit}" for n in range(1, 4)]
        text = "\n".join(["登记编号,收到日期,单位", *lines])
        (served / f"{unit}.csv").write_bytes(text.encode("gb18030"))
    (served / "说明.txt").write_text("不是工作簿")
    with sftp_server(tmp_path / "served") as (port, host_key):
        source = from_sftp(tmp_path, port, host_key)
        first = pull(plan(source, city.lake, now=NOW)[0], tmp_path / "landing")
        assert len(rows(first, "registers")) == 6
        load(first, source, city.lake, now=NOW)
        # What is as it was is not read again.
        again = pull(plan(source, city.lake, now=NOW)[0], tmp_path / "landing")
        assert (rows(again, "registers"), again.manifest.problems) == ([], [])
        found = next(iter(check_source(source)))
        assert found.is_good
        assert found.places == ["公安局.csv 3 行", "教育局.csv 3 行"]


def test_an_sftp_server_that_is_another_or_refuses(city: SmallCity, tmp_path: Path) -> None:
    (tmp_path / "served" / "台账").mkdir(parents=True)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with sftp_server(tmp_path / "served") as (port, host_key):
        for changes, error, said in (
            ({"host_key": other}, SourceDenied, "主机密钥"),
            ({"username": "stranger"}, SourceDenied, "拒绝了登录"),
            ({"folder": "/没有"}, SourceContractError, "没有目录"),
        ):
            source = from_sftp(tmp_path, port, **{"host_key": host_key, **changes})
            with pytest.raises(error, match=said) as caught:
                pull(plan(source, city.lake, now=NOW)[0], tmp_path / "landing")
            assert "pass word/3" not in str(caught.value)
    with pytest.raises(SourceUnavailable, match="连不上"):
        pull(plan(source, city.lake, now=NOW)[0], tmp_path / "landing")


# ---- SOAP


def _soap_application() -> Any:
    """A ticket service as a vendor would make it; its description comes from the package."""
    from spyne import Application, ComplexModel, Integer, Iterable, ServiceBase, Unicode, rpc
    from spyne.protocol.soap import Soap11
    from spyne.server.wsgi import WsgiApplication

    class Ticket(ComplexModel):  # type: ignore[misc]
        __namespace__ = "urn:tickets"
        ticketNo = Unicode
        handleDept = Unicode
        ticketStatus = Unicode
        acceptTime = Unicode
        modifyTime = Unicode
        callerName = Unicode

    class Tickets(ServiceBase):  # type: ignore[misc]
        @rpc(Unicode, Integer, Integer, _returns=Iterable(Ticket))  # type: ignore[untyped-decorator]
        def queryTickets(ctx: Any, modifiedSince: Any, pageNo: Any, pageSize: Any) -> Any:
            made = [n for n in range(45) if _modified(n) >= (modifiedSince or "")]
            begin = ((pageNo or 1) - 1) * (pageSize or 10)
            return [
                Ticket(
                    ticketNo=f"T{n:04d}",
                    handleDept=f"D{n % 4}",
                    ticketStatus=("办理中", "已办结")[n % 2],
                    acceptTime=f"2020-01-{n % 28 + 1:02d}T09:00:00",
                    modifyTime=_modified(n),
                    callerName="王小明",
                )
                for n in made[begin : begin + (pageSize or 10)]
            ]

        @rpc(Unicode, _returns=Unicode)  # type: ignore[untyped-decorator]
        def deleteTicket(ctx: Any, ticketNo: Any) -> Any:
            raise AssertionError("nothing is ever changed at a source")

    application = Application(
        [Tickets], "urn:tickets", in_protocol=Soap11(validator="lxml"), out_protocol=Soap11()
    )
    return WsgiApplication(application)


def _modified(n: int) -> str:
    return f"2020-0{n % 9 + 1}-01T00:00:00"


@contextmanager
def soap_service() -> Iterator[str]:
    """The address of a SOAP service."""
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with make_server("127.0.0.1", 0, _soap_application(), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tickets"
        finally:
            server.shutdown()
            thread.join()


def test_a_soap_service_is_connected_from_its_description(city: SmallCity, tmp_path: Path) -> None:
    with soap_service() as url:
        proposal = propose(f"{url}?wsdl")
        assert proposal.paginator["page_param"] == "pageNo"
        assert proposal.changes.cursor is not None
        assert proposal.changes.cursor["param"] == "modifiedSince"
        assert set(proposal.mapping) >= {"organ_id", "work_order_status", "dispatched_at"}
        file = tmp_path / "tickets.yaml"
        file.write_text(proposal_text(proposal), encoding="utf-8")
        source = load_source(file, {})
        landed = pull(plan(source, city.lake, now=NOW)[0], tmp_path / "landing")
        assert sorted(row["$id"] for row in rows(landed, "records")) == [
            f"T{n:04d}" for n in range(45)
        ]
        load(landed, source, city.lake, now=NOW)
        later = pull(plan(source, city.lake, now=NOW)[0], tmp_path / "landing")
        assert {row["$updated"] for row in rows(later, "records")} == {"2020-09-01T00:00:00"}
