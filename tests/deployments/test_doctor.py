"""The doctor: each line is ok in a healthy world, and each is made to fail by its own cause."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from sqlalchemy import event, text

from deployments import doctor
from deployments.cli import main
from deployments.doctor import examine
from deployments.doctor.findings import Finding, Level, worst
from deployments.sandbox.basta.hooks import Sending
from deployments.sandbox.faults import Fault
from deployments.sandbox.run import build_world, environment, in_thread
from deployments.sandbox.world import World
from deployments.webhooks import receiver
from tasks.desk import prepare
from tasks.lots import clock, inbox, refusals
from tasks.lots.engine import Record, open_record
from tasks.lots.states import LotStatus
from tasks.settings import Settings
from tests.builders import make_lot
from tests.deployments.serving import served


@dataclass
class Clinic:
    """A world in which all is well, until a test spoils something."""

    world: World
    home: Path
    record: Record
    env: pytest.MonkeyPatch

    def vendor(self, name: str) -> Any:
        return self.world.vendors[name]

    def examine(self, **changed: str | None) -> dict[str, Finding]:
        """Every line by its name, with settings changed for this one look."""
        with self.env.context() as env:
            for name, value in changed.items():
                env.delenv(name, raising=False) if value is None else env.setenv(name, value)
            return {one.name: one for one in examine(Settings.load(), deadline=30)}

    def levels(self, **changed: str | None) -> dict[str, str]:
        return {name: str(one.level) for name, one in self.examine(**changed).items()}


@pytest.fixture
def clinic(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    world = build_world(seed=5)
    vendors: dict[str, Any] = world.vendors
    vendors["cj"].options.min_interval_seconds = 0
    with ExitStack() as stack:
        url = stack.enter_context(in_thread(world))
        for name, value in {**environment(url), "CJ_MIN_INTERVAL_SECONDS": "0"}.items():
            monkeypatch.setenv(name, value)
        shutil.copy(migrated_file, Settings.load().record_url.removeprefix("sqlite:///"))
        record = prepare(Settings.load())
        stack.callback(open_record.cache_clear)
        stack.callback(record.close)
        public = stack.enter_context(served(receiver(Settings.load(), record)))
        monkeypatch.setenv("WEBHOOK_PUBLIC_URL", public)
        vendors["stripe"].options.webhook_url = f"{public}/webhooks/stripe"
        vendors["basta"].house.subscriptions += [
            {"id": name, "action": name, "url": f"{public}/webhooks/basta", "headers": []}
            for name in ("SALE_STATUS_CHANGED", "ITEMS_STATUS_CHANGED")
        ]
        vendors["cj"].webhooks.topics |= {topic: [f"{public}/webhooks/cj"] for topic in ("order", "logistics")}
        found = Clinic(world, tmp_path, record, monkeypatch)
        found.examine()  # CJ's first login makes the token file
        world.calls.clear()
        yield found


HEALTHY = {
    "disk", "token file", "database", "database stamp", "Stripe key", "Stripe endpoint", "Basta key", "buyer's premium",
    "Basta hooks", "CJ key", "CJ quota", "CJ callbacks", "CJ balance", "Resend key", "receiver", "stripe webhooks",
    "basta webhooks", "cj webhooks", "alerts", "clock",
}  # fmt: skip


def test_where_all_is_well_every_line_is_ok_and_nothing_was_spent_posted_or_changed(clinic: Clinic) -> None:
    came = clinic.examine()
    assert {name for name, one in came.items() if one.level is Level.OK} == HEALTHY
    assert {name: one.text for name, one in came.items() if name not in HEALTHY} == {
        "Prefect": "there is no PREFECT_API_URL: nothing runs by itself, and flows run on a server of their own"
    }
    assert all(one.fix for one in came.values() if one.level is not Level.OK)
    asked = {call.operation for call in clinic.world.calls if call.vendor == "cj"}
    assert asked == {"GET /setting/get", "GET /shopping/pay/getBalance"}  # neither costs a point
    assert not any(call.operation.startswith(("create", "add", "update")) for call in clinic.world.calls)
    assert {call.operation for call in clinic.world.calls if call.vendor == "stripe"} == {
        "GET /v1/account",
        "GET /v1/webhook_endpoints",
    }
    assert clinic.vendor("alerts").posts == clinic.vendor("resend").mails == []
    with clinic.record.read() as session:
        assert inbox.waiting(session) == []
        assert session.execute(text("select count(*) from flow_leases where flow like 'doctor%'")).scalar() == 0
        assert session.execute(text("select count(*) from webhook_refusals")).scalar() == 0


@pytest.mark.parametrize(
    ("changed", "line", "level"),
    [
        ({"STRIPE_SECRET_KEY": "sk_wrong"}, "Stripe key", "fail"),
        ({"STRIPE_SECRET_KEY": None}, "Stripe key", "fail"),
        ({"API_KEY": "wrong"}, "Basta key", "fail"),
        ({"ACCOUNT_ID": None}, "Basta key", "fail"),
        ({"CJ_API_KEY": None}, "CJ key", "fail"),
        ({"RESEND_API_KEY": "wrong"}, "Resend key", "fail"),
        ({"RESEND_API_KEY": None}, "Resend key", "warn"),
        ({"RESEND_FROM": "Us <us@elsewhere.invalid>"}, "Resend key", "warn"),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_other"}, "stripe webhooks", "fail"),
        ({"BASTA_WEBHOOK_SECRET": None}, "basta webhooks", "fail"),
        ({"WEBHOOK_PUBLIC_URL": "http://127.0.0.1:9"}, "receiver", "fail"),
        ({"WEBHOOK_PUBLIC_URL": None}, "webhooks", "warn"),
        ({"ALERT_WEBHOOK_URL": None}, "alerts", "warn"),
        ({"ALERT_WEBHOOK_URL": "http://127.0.0.1:9/x"}, "alerts", "fail"),
        ({"ACCOUNT_ID": "another"}, "database stamp", "fail"),
        ({"PREFECT_API_URL": "http://127.0.0.1:9/api"}, "Prefect", "fail"),
        ({"DATABASE_URL": "sqlite:///absent.sqlite"}, "database", "fail"),
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/x"}, "database", "fail"),
    ],
    ids=lambda one: one if isinstance(one, str) else "".join(f"{name}={value}" for name, value in one.items()),
)
def test_a_wrong_setting_is_seen_where_it_is_wrong(
    clinic: Clinic, changed: dict[str, str | None], line: str, level: str
) -> None:
    came = clinic.examine(**changed)
    assert came[line].level == level
    assert came[line].fix


def test_a_prefect_server_that_wants_a_password_is_shown_ours(clinic: Clinic) -> None:
    shown: list[tuple[str, str | None]] = []
    app = FastAPI()

    @app.get("/api/{path:path}")
    def let_in(path: str, request: Request) -> Response:
        shown.append((path, request.headers.get("authorization")))
        return Response(status_code=401)

    with served(app) as server:
        came = clinic.examine(PREFECT_API_URL=f"{server}/api", PREFECT_API_AUTH_STRING="admin:a-password")
    assert shown == [("health", f"Basic {b64encode(b'admin:a-password').decode()}")]
    assert (came["Prefect"].level, came["Prefect"].fix) == (Level.FAIL, "see PREFECT_API_AUTH_STRING")


def test_a_wrong_cj_key_is_refused_at_its_login(clinic: Clinic) -> None:
    clinic.vendor("cj").options.api_key = "another"
    (clinic.home / ".cj-token.json").unlink()
    assert clinic.levels()["CJ key"] == "fail"


def test_a_key_of_another_account_than_the_databases(clinic: Clinic) -> None:
    with clinic.record.write() as session:
        session.execute(text("delete from stamp where name like 'cj%' or name like 'stripe%'"))
        for name in ("cj_open_id", "stripe_account"):
            session.execute(text("insert into stamp values (:name, 'other', '2026-01-01')"), {"name": name})
    came = clinic.levels()
    assert (came["CJ key"], came["Stripe key"]) == ("fail", "fail")


def spoil_stripe(name: str, value: Any) -> Any:
    return lambda clinic: setattr(clinic.vendor("stripe").options, name, value)


def spend_the_quota(clinic: Clinic) -> None:
    options = clinic.vendor("cj").options
    options.quota, options.quota_limits = "counts", {"/product/query": 150}


def a_hook_that_failed(clinic: Clinic) -> None:
    house, at = clinic.vendor("basta").house, clinic.world.clock.now()
    house.sendings.append(Sending("1", "k", "x", "SALE_STATUS_CHANGED", house.subscriptions[0], "{}", at, []))


def a_read_only_database(clinic: Clinic) -> None:
    clinic.record.engine.dispose()
    event.listen(clinic.record.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only=ON"))


def an_older_database(clinic: Clinic) -> None:
    with clinic.record.write() as session:
        session.execute(text("update alembic_version set version_num = 'older'"))


def failing_signatures(clinic: Clinic) -> None:
    with clinic.record.write() as session:
        refusals.count(session, {("stripe", "wrong"): 3})


def stale_signatures(clinic: Clinic) -> None:
    with clinic.record.write() as session:
        refusals.count(session, {("basta", "stale"): 3})


@pytest.mark.parametrize(
    ("spoil", "line", "level", "says"),
    [
        (lambda clinic: setattr(clinic.vendor("cj").purse, "balance_cents", 0), "CJ balance", "warn", "$0.00"),
        (spend_the_quota, "CJ quota", "warn", "/product/query"),
        (lambda clinic: clinic.vendor("cj").quota.set_points(900), "CJ quota", "fail", "/product/listV2, allows 18"),
        (lambda clinic: clinic.vendor("cj").webhooks.suspend("order"), "CJ callbacks", "fail", "order are off"),
        (lambda clinic: clinic.vendor("cj").webhooks.topics.clear(), "CJ callbacks", "fail", "never set"),
        (lambda clinic: clinic.vendor("basta").house.subscriptions.pop(), "Basta hooks", "fail", "ITEMS_STATUS"),
        (a_hook_that_failed, "Basta hooks", "warn", "gave up 1"),
        (spoil_stripe("webhook_url", ""), "Stripe endpoint", "fail", "there is none"),
        (spoil_stripe("webhook_status", "disabled"), "Stripe endpoint", "fail", "disabled"),
        (spoil_stripe("webhook_api_version", "2024-06-20"), "Stripe endpoint", "fail", "2024-06-20"),
        (spoil_stripe("webhook_events", ["invoice.paid"]), "Stripe endpoint", "warn", "charge.dispute.created"),
        (lambda clinic: setattr(clinic.vendor("alerts"), "gone", True), "alerts", "fail", "404"),
        (lambda clinic: (clinic.home / ".cj-token.json").chmod(0o644), "token file", "fail", "0644"),
        (a_read_only_database, "database", "fail", "readonly"),
        (an_older_database, "database", "fail", "older"),
        (failing_signatures, "stripe webhooks", "fail", "another secret"),
        (stale_signatures, "basta webhooks", "fail", "clock"),
    ],
    ids=[
        "an empty purse", "a low quota", "few points", "a suspended topic", "no callbacks", "a missing hook",
        "a hook given up", "no endpoint", "a disabled endpoint", "an old version", "events not ticked",
        "a deleted channel", "a token for all", "a read-only database", "an older database", "failing signatures",
        "stale signatures",
    ],
)  # fmt: skip
def test_a_spoilt_world_is_seen_where_it_is_spoilt(
    clinic: Clinic, spoil: Any, line: str, level: str, says: str
) -> None:
    spoil(clinic)
    came = clinic.examine()
    assert (came[line].level, says in came[line].text) == (level, True), came[line]
    assert came[line].fix


def test_a_purse_that_does_not_cover_the_paid_lots_fails(clinic: Clinic) -> None:
    clinic.vendor("cj").purse.balance_cents = 100
    with clinic.record.write() as session:
        make_lot(session, LotStatus.PAID, landed_cents=2_000)
    came = clinic.examine()
    assert came["CJ balance"].level == "fail"
    assert "$20.00" in came["CJ balance"].text


def test_the_premium_that_basta_adds_is_compared_with_the_one_in_the_settings(clinic: Clinic) -> None:
    fee = {"id": "f", "name": "Premium", "type": "PERCENTAGE", "value": 1_000, "lowerLimit": 0, "upperLteLimit": None}
    clinic.vendor("basta").options.fees = [{**fee, "calculationType": "FLAT"}]
    assert clinic.levels(BUYER_PREMIUM_BP="1000")["buyer's premium"] == "ok"
    assert clinic.levels()["buyer's premium"] == "ok"
    assert clinic.levels(BUYER_PREMIUM_BP="500")["buyer's premium"] == "warn"


@pytest.mark.parametrize(("ahead", "level"), [(30, "warn"), (600, "fail"), (-600, "fail")])
def test_a_clock_that_is_wrong_is_seen_by_the_vendors_dates(clinic: Clinic, ahead: float, level: str) -> None:
    with clock.held_by(lambda: clock._wall() + timedelta(seconds=ahead), time.sleep):
        assert clinic.levels()["clock"] == level


def test_a_vendor_that_hangs_is_a_line_and_keeps_nobody_waiting(clinic: Clinic) -> None:
    clinic.world.faults.plan(Fault("basta", "account", "slow", seconds=20))
    began = time.monotonic()
    found = examine(Settings.load(), deadline=2.0)
    assert time.monotonic() - began < 4.0
    assert worst(found) is Level.FAIL
    assert [one.text for one in found if one.name == "Basta"] == ["not all was answered within 2.0 s"]


@pytest.fixture
def silent() -> Iterator[str]:
    """A place that takes every line, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def as_typed() -> tuple[float, int, dict[str, dict[str, str]]]:
    """The console script: the seconds from its start to its end, its exit status, every line by its name."""
    command = [str(Path(sys.executable).with_name("pipeline")), "doctor", "--json"]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    took = time.monotonic() - began
    return took, done.returncode, {one["name"]: one for one in json.loads(done.stdout)["checks"]}


def test_a_database_that_hangs_is_a_line_and_all_that_can_be_known_without_it_is_told(
    clinic: Clinic, silent: str
) -> None:
    clinic.env.setenv("DATABASE_URL", f"postgresql://x:y@{silent}/x")
    took, status, came = as_typed()
    assert (status, took < 5.0) == (1, True), took
    assert came["database"]["text"].startswith("not all was answered within ")
    assert came["CJ"]["text"] == "not asked: its pace is kept in the database, which cannot be read"
    missing = {"database stamp", "CJ key", "CJ quota", "CJ callbacks", "CJ balance"}
    assert set(came) == (HEALTHY - missing) | {"CJ", "Prefect"}
    assert (came["Stripe key"]["level"], came["stripe webhooks"]["level"]) == ("ok", "warn")


def test_where_everybody_hangs_every_line_says_so_and_the_program_ends_in_time(clinic: Clinic, silent: str) -> None:
    for name, value in environment(f"http://{silent}").items():
        clinic.env.setenv(name, value)
    clinic.env.setenv("WEBHOOK_PUBLIC_URL", f"http://{silent}")
    clinic.env.setenv("PREFECT_API_URL", f"http://{silent}/api")
    took, status, came = as_typed()
    assert (status, took < 5.0) == (1, True), took
    quiet = {"Stripe", "Basta", "CJ", "Resend", "receiver", "Prefect", "alerts", "clock"}
    assert {name for name, one in came.items() if one["level"] != "ok"} == quiet
    assert {name for name in quiet if not came[name]["fix"]} == set()


def test_a_program_that_was_slow_to_start_examines_for_a_shorter_time(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    for started, left in ((began, doctor.PROGRAM_SECONDS), (began - 1.0, doctor.PROGRAM_SECONDS - 1.0)):
        monkeypatch.setattr(doctor, "BEGAN", started)
        assert doctor.time_left() == pytest.approx(left, abs=0.2)
    monkeypatch.setattr(doctor, "BEGAN", began - 60)
    assert doctor.time_left() == doctor.LEAST_SECONDS


def test_the_command_imports_nothing_heavy_that_it_does_not_ask(clinic: Clinic) -> None:
    """Prefect, frames and charts take twice as long to import as all the rest; Prefect is asked over REST."""
    heavy = ("prefect", "polars", "altair", "fastapi")
    typed = f"""import sys
from deployments.cli import main
try:
    main(["doctor"])
finally:
    sys.stderr.write(",".join(name for name in {heavy} if name in sys.modules))"""
    done = subprocess.run([sys.executable, "-c", typed], capture_output=True, text=True, check=False, timeout=60)
    assert "CJ key: it works" in done.stdout
    assert (done.returncode, done.stderr) == (3, "")


def test_no_line_shows_a_secret(clinic: Clinic) -> None:
    secret = "k3y-of-ours"
    hidden = {
        "STRIPE_SECRET_KEY": f"sk_{secret}", "API_KEY": secret, "RESEND_API_KEY": secret, "CJ_API_KEY": secret,
        "ALERT_WEBHOOK_URL": f"http://127.0.0.1:9/{secret}", "DATABASE_URL": f"postgresql://x:{secret}@127.0.0.1:9/x",
    }  # fmt: skip
    for one in clinic.examine(**hidden).values():
        assert secret not in one.text + (one.fix or "")


def test_the_command_shows_the_worst_in_its_exit_status(clinic: Clinic, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["doctor", *arguments])
        return int(ended.value.code or 0)

    assert run() == 3  # there is no Prefect server
    assert "ok    CJ key: it works" in capsys.readouterr().out
    clinic.vendor("stripe").options.webhook_status = "disabled"
    assert run("--json") == 1
    page = json.loads(capsys.readouterr().out)
    assert page["worst"] == "fail"
    assert {"level", "name", "text", "fix"} == set(page["checks"][0])
