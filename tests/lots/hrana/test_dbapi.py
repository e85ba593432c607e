"""The driver against answers recorded from sqld 0.24.32: what it sends, what it reads, and what it calls an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from pydantic import SecretStr

from tasks.lots.hrana import dbapi
from tasks.lots.hrana.errors import (
    Busy,
    CommitUnknown,
    DatabaseError,
    DataError,
    Disconnected,
    IntegrityError,
    InternalError,
    OperationalError,
    ProgrammingError,
    error_of,
)

RECORDED = Path(__file__).parents[2] / "fixtures" / "recorded" / "hrana"
HOST = "https://lots.test"
TOKEN = "hush.hush-hush"
GUARD = {"type": "not", "cond": {"type": "is_autocommit"}}


def recorded(name: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return answer


class Server:
    """It gives the answers it was given, in their order, and keeps what it was asked."""

    def __init__(self, router: respx.Router) -> None:
        self.asked: list[dict[str, Any]] = []
        self.requests: list[httpx.Request] = []
        self.answers: list[str | httpx.Response | Exception] = []
        router.route().mock(side_effect=self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.asked.append(json.loads(request.content))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(200, json=recorded(answer)) if isinstance(answer, str) else answer

    def steps(self, number: int) -> list[tuple[str, Any]]:
        (first, *_) = self.asked[number]["requests"]
        return [(step["stmt"]["sql"], step.get("condition")) for step in first["batch"]["steps"]]

    def kinds(self, number: int) -> list[str]:
        return [request["type"] for request in self.asked[number]["requests"]]


@pytest.fixture
def server() -> Iterator[Server]:
    with respx.mock(assert_all_called=False) as router:
        yield Server(router)


@pytest.fixture
def raw() -> Iterator[dbapi.Connection]:
    connection = dbapi.connect(HOST, SecretStr(TOKEN), busy_seconds=0.15)
    yield connection
    connection.close()


INSERT = "insert into shelf(name) values (?)"


def begin(raw: dbapi.Connection, server: Server) -> dbapi.Cursor:
    server.answers.insert(0, "begun")
    raw.begin(immediate=True)
    return raw.cursor().execute(INSERT, ["bare"])


def test_begin_travels_with_the_first_statement_and_commit_with_the_streams_end(
    raw: dbapi.Connection, server: Server
) -> None:
    server.answers = ["updated", "committed"]
    begin(raw, server)
    raw.cursor().execute("update shelf set stock = stock + 1")
    raw.commit()
    assert server.steps(0) == [
        ("PRAGMA foreign_keys=ON", None),
        ("BEGIN IMMEDIATE", {"type": "ok", "step": 0}),
        (INSERT, {"type": "ok", "step": 1}),
    ]
    assert server.steps(1) == [("update shelf set stock = stock + 1", GUARD)]
    assert (server.steps(2), server.kinds(2)) == ([("COMMIT", GUARD)], ["batch", "close"])
    assert [asked["baton"] for asked in server.asked] == [
        None,
        recorded("begun")["baton"],
        recorded("updated")["baton"],
    ]


def test_a_row_comes_with_its_names_and_kinds(raw: dbapi.Connection, server: Server) -> None:
    cursor = begin(raw, server)
    assert [column[0] for column in cursor.description or []] == ["id", "name", "weight", "picture", "stock"]
    assert cursor.fetchmany(1) == [(1, "café", 1.5, b"\x00\x01\xfe", 9007199254740993)]
    assert cursor.fetchone() == (2, "bare", None, None, -1)
    assert (cursor.fetchone(), cursor.rowcount, cursor.lastrowid) == (None, 2, 2)


def test_a_reader_begins_without_a_writers_lock(raw: dbapi.Connection, server: Server) -> None:
    server.answers = ["begun"]
    raw.begin(immediate=False, foreign_keys=False)
    raw.cursor().execute("select 1")
    assert [sql for sql, _ in server.steps(0)] == ["PRAGMA foreign_keys=OFF", "BEGIN", "select 1"]


def test_a_transaction_without_a_statement_asks_nothing(raw: dbapi.Connection, server: Server) -> None:
    raw.begin(immediate=True)
    raw.commit()
    raw.rollback()
    assert server.asked == []


def test_a_rollback_ends_the_stream(raw: dbapi.Connection, server: Server) -> None:
    server.answers = ["committed"]
    begin(raw, server)
    raw.rollback()
    assert (server.steps(1), server.kinds(1)) == ([("ROLLBACK", GUARD)], ["batch", "close"])


def test_many_sets_of_arguments_go_in_few_requests_and_none_after_a_failed_one(
    raw: dbapi.Connection, server: Server
) -> None:
    server.answers = ["updated", "constraint"]
    begin(raw, server)
    with pytest.raises(IntegrityError):
        raw.cursor().executemany(INSERT, [[str(number)] for number in range(dbapi.BATCH * 3)])
    assert [len(server.steps(number)) for number in (1, 2)] == [dbapi.BATCH] * 2
    assert [condition for _, condition in server.steps(1)[:3]] == [
        GUARD,
        {"type": "ok", "step": 0},
        {"type": "ok", "step": 1},
    ]


def test_the_token_is_in_the_request_and_in_nothing_else(raw: dbapi.Connection, server: Server) -> None:
    begin(raw, server)
    assert server.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
    server.answers = [httpx.ConnectError("no way"), httpx.Response(401, text="no")]
    seen: list[str] = []
    for _ in range(2):  # the first within the transaction, the second at the door
        with pytest.raises(OperationalError) as caught:
            raw.cursor().execute("select 1")
        for error in (caught.value, caught.value.__cause__, caught.value.__context__):
            seen += [str(error), repr(error)]
        raw.rollback()
    assert "hush" not in "".join(seen) + repr(vars(raw)) + repr(vars(raw._stream))


class TestWhatIsAnError:
    @pytest.mark.parametrize(
        ("answer", "kind"),
        [("constraint", IntegrityError), ("wrong-statement", ProgrammingError), ("taken-away", OperationalError)],
    )
    def test_a_failed_statement_leaves_the_stream(
        self, raw: dbapi.Connection, server: Server, answer: str, kind: type[DatabaseError]
    ) -> None:
        server.answers = [answer, "committed"]
        begin(raw, server)
        with pytest.raises(kind) as caught:
            raw.cursor().execute(INSERT, ["bare"])
        assert not isinstance(caught.value, Disconnected)
        assert caught.value.code in str(caught.value)
        raw.rollback()
        assert server.kinds(2) == ["batch", "close"]

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("SQLITE_CONSTRAINT_UNIQUE", IntegrityError),
            ("SQLITE_BUSY_SNAPSHOT", OperationalError),
            ("SQLITE_READONLY", OperationalError),
            ("SQLITE_FULL", OperationalError),
            ("SQLITE_CORRUPT", InternalError),
            ("SQLITE_TOOBIG", DataError),
            ("SQL_PARSE_ERROR", ProgrammingError),
            ("", OperationalError),
        ],
    )
    def test_a_code_has_its_kind(self, code: str, kind: type[DatabaseError]) -> None:
        assert isinstance(error_of({"message": "so it is", "code": code or None}), kind)

    def test_a_statement_that_did_not_run_is_no_success(self, raw: dbapi.Connection, server: Server) -> None:
        server.answers = ["not-standing"]
        begin(raw, server)
        with pytest.raises(OperationalError, match="had ended this transaction"):
            raw.cursor().execute(INSERT, ["late"])

    def test_a_commit_of_nothing_is_no_success(self, raw: dbapi.Connection, server: Server) -> None:
        server.answers = ["nothing-to-commit"]
        begin(raw, server)
        with pytest.raises(OperationalError, match="nothing of it was kept") as caught:
            raw.commit()
        assert not isinstance(caught.value, CommitUnknown)

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(httpx.Response(400, text="The stream has expired"), id="expired"),
            pytest.param(httpx.Response(502, text="bad gateway"), id="a proxy"),
            pytest.param(httpx.ReadTimeout("too long"), id="no answer"),
            pytest.param(httpx.RemoteProtocolError("reset"), id="cut off"),
            pytest.param(httpx.Response(200, text="<html>"), id="another server"),
            pytest.param(httpx.Response(200, json={"baton": None, "results": []}), id="half an answer"),
        ],
    )
    def test_a_broken_conversation_is_a_disconnect_and_at_commit_unknown(
        self, raw: dbapi.Connection, server: Server, answer: httpx.Response | Exception
    ) -> None:
        server.answers = [answer]
        begin(raw, server)
        with pytest.raises(Disconnected) as caught:
            raw.cursor().execute("select 1")
        assert not isinstance(caught.value, CommitUnknown)
        raw.rollback()  # asks nothing: there is nothing to go back to
        server.answers = [answer]
        begin(raw, server)
        with pytest.raises(CommitUnknown, match="whether the last transaction was kept is not known"):
            raw.commit()

    def test_a_server_that_opens_no_stream_says_why(self, raw: dbapi.Connection, server: Server) -> None:
        server.answers = [httpx.Response(503, text="over quota\n<p>")]
        with pytest.raises(OperationalError, match=r"lots\.test answered 503: over quota$") as caught:
            raw.cursor().execute("select 1")
        assert not isinstance(caught.value, Disconnected)

    def test_a_refused_token_is_named(self, raw: dbapi.Connection, server: Server) -> None:
        server.answers = [httpx.Response(401, json={"error": "Unauthorized: `The JWT is invalid`"})]
        with pytest.raises(OperationalError, match="does not accept TURSO_AUTH_TOKEN"):
            raw.cursor().execute("select 1")


class TestBusy:
    def test_begin_is_tried_again_on_the_same_stream(self, raw: dbapi.Connection, server: Server) -> None:
        server.answers = ["busy"]
        server.answers += ["begun"]
        raw.begin(immediate=True)
        assert raw.cursor().execute(INSERT, ["bare"]).rowcount == 2
        assert [asked["baton"] for asked in server.asked] == [None, recorded("busy")["baton"]]

    def test_begin_is_given_up_in_time_and_the_stream_let_go(self, raw: dbapi.Connection, server: Server) -> None:
        server.answers = ["busy"] * 100
        with pytest.raises(Busy, match="locked"):
            raw.cursor().execute(INSERT, ["bare"])
        asked = len(server.asked)
        assert 1 < asked < 50
        server.answers = ["committed"]
        raw.rollback()
        assert server.kinds(asked) == ["batch", "close"]

    def test_a_later_statement_is_not_tried_again(self, raw: dbapi.Connection, server: Server) -> None:
        late = recorded("constraint")
        late["results"][0]["response"]["result"]["step_errors"] = [{"message": "no", "code": "SQLITE_BUSY_SNAPSHOT"}]
        server.answers = [httpx.Response(200, json=late)]
        begin(raw, server)
        with pytest.raises(Busy):
            raw.cursor().execute(INSERT, ["bare"])
        assert len(server.asked) == 2


def test_a_stream_goes_on_where_the_server_sends_it_and_the_next_begins_at_home(
    raw: dbapi.Connection, server: Server
) -> None:
    moved = recorded("begun") | {"base_url": "https://one.lots.test"}
    server.answers = [httpx.Response(200, json=moved), "updated", "committed"]
    raw.cursor().execute("select 1")
    raw.cursor().execute("select 1")
    raw.commit()
    begin(raw, server)
    hosts = [request.url.host for request in server.requests]
    assert hosts == ["lots.test", "one.lots.test", "one.lots.test", "lots.test"]
    assert {request.url.path for request in server.requests} == {"/v3/pipeline"}
