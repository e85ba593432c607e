"""Every night each vendor is asked what became of everything that was begun: found, it is adopted; absent, not done."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from deployments.sandbox.faults import Fault
from tasks.clients.service import ServiceUnavailable
from tasks.collecting import voiding
from tasks.desk import Unsettled
from tasks.listing.publishing import NotPublished
from tasks.lots import copies, effects, pauses, restored
from tasks.lots.manners import Came
from tasks.lots.records import Effect
from tasks.notifying.mails import KEYS_LAST
from tasks.reconciling.asking import ASKERS, NOT_ASKED
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal
from tests.stages.test_handling import cancel, published, unconfirmed
from tests.stages.test_listing import one_sale_of_two
from tests.stages.test_restoring import marked, put_back

TASKS = Path(__file__).parents[2] / "tasks"
LANDED = pytest.mark.parametrize("landed", [True, False], ids=["it happened", "it did not"])


class TestTheTable:
    """Which vendor is asked about which kind of effect; whoever plans a new kind says here who asks about it."""

    WHO = {
        "sale": "Basta",
        "lot": "Basta",
        "image": "Basta",
        "policy": "Basta",
        "publish": "Basta",
        "unlist": "Basta",
        "basta-order": "Basta",
        "basta-publish": "Basta",
        "basta-invoice": "Basta",
        "basta-payment": "Basta",
        "basta-cancel": "Basta",
        "customer": "Stripe",
        "place": "Stripe",
        "invoice": "Stripe",
        "pay": "Stripe",
        "void": "Stripe",
        "refund": "Stripe",
        "cj-order": "CJ",
        "cj-confirm": "CJ",
        "cj-pay": "CJ",
        "cj-delete": "CJ",
    }
    #: Sent again under its key by each cycle, for a day; and adopted in the moment in which it is seen.
    NOT = {"mail", "edit"}

    def test_every_kind_that_is_planned_anywhere_is_asked_about_at_its_vendor(self) -> None:
        assert {kind: asker.vendor for kind, asker in ASKERS.items()} == self.WHO
        assert set(NOT_ASKED) == self.NOT
        assert set(kinds_planned()) == {*self.WHO, *self.NOT}


def kinds_planned() -> Iterator[str]:
    """The kinds of all keys with which the product plans or adopts an effect, as its source has them."""
    texts = [path.read_text() for path in TASKS.rglob("*.py") if path.name != "effects.py"]
    trees = [ast.parse(text) for text in texts if "effects.plan(" in text or "effects.adopt(" in text]
    functions = [one for tree in trees for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
    makers = {one.name: one for one in functions}
    for function in functions:
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("effects.plan", "effects.adopt"):
                key = call.args[1]
                if isinstance(key, ast.Name):  # written just above
                    key = dict(written(function))[key.id]
                if isinstance(key, ast.Call):
                    body = makers[ast.unparse(key.func)].body
                    key = next(one.value for one in body if isinstance(one, ast.Return) and one.value)
                if not isinstance(key, ast.Attribute):  # the key of one that was planned before
                    yield ast.unparse(key).strip("f'\"").split(":")[0]


def written(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    """The names that a function gives, and to what."""
    for one in ast.walk(function):
        if isinstance(one, ast.Assign):
            names, values = one.targets[0], one.value
            pairs = (
                zip(names.elts, values.elts, strict=True)
                if isinstance(names, ast.Tuple) and isinstance(values, ast.Tuple)
                else [(names, values)]
            )
            yield from ((ast.unparse(name), value) for name, value in pairs)


def strike(stage: Rehearsal, vendor: str, write: str, *, landed: bool) -> Fault:
    fault = Fault(vendor, write, "timeout_after" if landed else "timeout_before")
    stage.world.faults.plan(fault)
    return fault


def source(stage: Rehearsal, **more: bool) -> bool:
    with suppress(RuntimeError, ServiceUnavailable, Unsettled, NotPublished):
        return bool(stage.source(products=2, **more).is_completed())
    return False


class TestWhatSourcingHadBegun:
    """Only the next sourcing run asked about it before."""

    @pytest.mark.parametrize(
        ("write", "key", "landed"),
        [
            ("createSale", "sale:1", True),
            ("createItemForSale", "lot:1", False),
            ("PUT upload", "image:1:1", False),
            ("publishSale", "publish:1", False),
        ],
    )
    def test_it_is_asked_about_and_the_run_goes_on_from_there(
        self, stage: Rehearsal, write: str, key: str, landed: bool
    ) -> None:
        strike(stage, "basta", write, landed=landed)
        assert not source(stage)
        assert stage.effect(key).state == "UNKNOWN"
        stage.advance(200)
        made = stage.calls("basta", write)
        report = stage.reconcile()
        assert report.clean, report.sentence()
        assert stage.effect(key).state == ("ADOPTED" if landed else "PLANNED")
        assert stage.calls("basta", write) == made
        assert landed or "--publish` goes on with it" in report.undone[0].text
        assert source(stage)
        one_sale_of_two(stage)
        assert stage.reconcile().undone == []

    def test_all_lots_of_a_sale_cost_one_look(self, stage: Rehearsal) -> None:
        stage.world.faults.plan(Fault("basta", "createItemForSale", "timeout_before", times=2))
        assert not source(stage)
        stage.advance(200)
        seen: list[str] = []
        stage.exchange.before = seen.append
        assert stage.reconcile().clean
        assert {stage.effect(f"lot:{lot}").state for lot in (1, 2)} == {"PLANNED"}
        assert seen.count("basta sale") == 2  # the asking, and the comparison: the items come with their sale

    def test_before_the_quiet_time_it_is_named_and_a_vendor_that_is_away_too(self, stage: Rehearsal) -> None:
        strike(stage, "basta", "createSale", landed=False)
        assert not source(stage)
        report = stage.reconcile()
        assert (report.sentence(), report.undone) == ("not known yet: sale:1.", [])
        stage.advance(200)
        stage.world.faults.plan(Fault("basta", "*", "500_before", times=99))
        report = stage.reconcile()
        assert [one.about for one in report.unknown_yet] == ["sale:1"]
        assert "Basta" in report.unread


class TestWhatACommandHadBegun:
    """Killed or unanswered, only the same command asked before."""

    @LANDED
    def test_a_lot_that_was_to_leave_its_sale(self, stage: Rehearsal, landed: bool) -> None:
        lot = published(stage)
        fault = strike(stage, "basta", "removeItemFromSale", landed=landed)
        with pytest.raises(Unsettled):
            cancel(stage, lot)
        stage.advance(200)
        report = stage.reconcile()
        assert report.clean, report.sentence()
        assert fault.seen == 1
        if not landed:
            assert stage.status(lot) == "PUBLISHED"
            (undone,) = report.undone
            assert f"`pipeline lot cancel {lot}` takes it out" in undone.text
            cancel(stage, lot)
        assert stage.status(lot) == "CANCELLED"
        assert stage.calls("basta", "removeItemFromSale") == (1 if landed else 2)
        assert stage.reconcile().undone == []

    @LANDED
    def test_an_order_that_was_to_be_deleted(self, stage: Rehearsal, landed: bool) -> None:
        lot = unconfirmed(stage)
        delete = "DELETE /shopping/order/deleteOrder"
        strike(stage, "cj", delete, landed=landed)
        with pytest.raises(Unsettled):
            cancel(stage, lot)
        stage.advance(200)
        report = stage.reconcile()
        assert stage.effect(f"cj-delete:{lot}").state == ("ADOPTED" if landed else "PLANNED")
        assert report.unknown_yet == []
        assert stage.calls("cj", delete) == 1
        if not landed:
            (undone,) = report.undone
            assert f"`pipeline lot cancel {lot}` deletes it" in undone.text
            cancel(stage, lot)
        assert stage.calls("cj", delete) == (1 if landed else 2)
        assert stage.lot(lot).cj_status == "CANCELLED"


class TestWhatAPauseKeepsTheCycleFrom:
    """A pause stops what is done, and no look."""

    @pytest.mark.parametrize(
        ("scope", "vendor", "write", "key"),
        [
            ("charging", "stripe", "POST /v1/invoices/{id}/finalize", "invoice:1:1:0"),
            ("buying", "cj", "POST /shopping/order/createOrderV2", "cj-order:1"),
        ],
    )
    def test_it_is_asked_about_all_the_same_and_done_once_afterwards(
        self, stage: Rehearsal, scope: str, vendor: str, write: str, key: str
    ) -> None:
        stage.person("ada")
        stage.sell("ada")
        fault = strike(stage, vendor, write, landed=False)
        stage.cycle()
        assert stage.effect(key).state == "UNKNOWN"
        with stage.record.write() as session:
            pauses.pause(session, scope)
        stage.advance(200)
        report = stage.reconcile()
        assert report.clean, report.sentence()
        assert (stage.effect(key).state, fault.seen) == ("PLANNED", 1)
        with stage.record.write() as session:
            pauses.resume(session, scope)
        stage.cycle()
        assert (stage.effect(key).state, fault.seen) == ("DONE", 2)


def test_orders_that_were_made_are_found_together_in_one_call(stage: Rehearsal) -> None:
    stage.person("ada")
    stage.sell("ada", "ada")
    create = "POST /shopping/order/createOrderV2"
    stage.world.faults.plan(Fault("cj", create, "timeout_after", times=2))
    stage.cycle()
    with stage.record.write() as session:
        pauses.pause(session, "buying")
    stage.advance(200)
    single = stage.calls("cj", "GET /shopping/order/getOrderDetail")
    assert stage.reconcile().clean
    assert [stage.effect(f"cj-order:{lot}").state for lot in (1, 2)] == ["ADOPTED", "ADOPTED"]
    assert stage.calls("cj", "GET /shopping/order/getOrderDetail") == single
    assert stage.calls("cj", create) == 2


def test_a_voiding_that_lands_when_it_was_proven_absent_is_still_ours(stage: Rehearsal) -> None:
    stage.person("ada", "no_card", pays_after=10**7)
    (lot,) = stage.sell("ada")
    stage.cycle()
    stage.advance(7 * DAY)
    stage.world.faults.plan(Fault("stripe", "POST /v1/invoices/{id}/void", "late", effect_after=170))
    stage.cycle()
    stage.advance(100)
    assert stage.desk.ask("void:1", voiding(stage.desk), heard=timedelta(0)).came is Came.ABSENT
    stage.advance(60)
    stage.cycle()
    assert stage.effect("void:1").state == "ADOPTED"
    assert stage.status(lot) == "CANCELLED"
    assert stage.incidents("invoice:") == []
    assert stage.calls("stripe", "POST /v1/invoices/{id}/void") == 1


class TestAfterARestore:
    """The mark ends when everything was asked about, and the rest is proven absent."""

    @pytest.mark.parametrize("publish", [True, False], ids=["published", "listed"])
    def test_what_sourcing_did_in_the_lost_time_is_adopted_to_its_pictures(
        self, stage: Rehearsal, tmp_path: Path, publish: bool
    ) -> None:
        copy = tmp_path / "copy"

        def back_up(label: str) -> None:
            if label == "basta createItemForSale" and not copy.exists():
                copies.back_up(stage.record, copy)

        stage.exchange.before = back_up
        assert source(stage, publish=publish)
        made = len(stage.world.calls)
        put_back(stage, copy)
        stage.advance(200)
        report = stage.reconcile()
        assert report.clean, report.sentence()
        assert not marked(stage)
        assert source(stage, publish=publish)
        assert [len(sale.items) for sale in stage.house.sales.values()] == [2]
        assert stage.unsettled() == []
        writes = [call.operation for call in stage.world.calls[made:] if call.vendor == "basta"]
        assert not {"createSale", "createItemForSale", "createUploadUrl", "publishSale"} & set(writes)

    def test_while_basta_is_away_the_mark_stays_and_the_report_says_why(self, stage: Rehearsal) -> None:
        assert source(stage, publish=False)
        with stage.record.write() as session:
            restored.mark(session)
        stage.world.faults.plan(Fault("basta", "*", "500_before", times=99))
        report = stage.reconcile()
        assert "the pictures that were put up could not be read" in (report.unlooked or "")
        assert marked(stage)

    def test_what_did_not_happen_is_not_made_and_the_mark_ends(self, stage: Rehearsal, tmp_path: Path) -> None:
        strike(stage, "basta", "createItemForSale", landed=False)
        assert not source(stage)
        copies.back_up(stage.record, tmp_path / "copy")
        put_back(stage, tmp_path / "copy")
        assert not stage.reconcile().clean
        assert marked(stage)
        stage.advance(200)
        report = stage.reconcile()
        assert report.clean, report.sentence()
        assert not marked(stage)
        assert [len(sale.items) for sale in stage.house.sales.values()] == [1]
        assert source(stage)
        one_sale_of_two(stage)


def test_a_kill_in_the_asking_leaves_it_to_the_next_one(stage: Rehearsal) -> None:
    strike(stage, "basta", "createSale", landed=True)
    assert not source(stage)
    stage.advance(200)

    def kill(label: str) -> None:
        if label == "basta sale":
            stage.exchange.after = lambda _: None
            raise KeyboardInterrupt

    stage.exchange.after = kill
    with pytest.raises(KeyboardInterrupt):
        stage.reconcile()
    stage.desk = stage.open_desk()
    stage.advance(HOUR)
    assert stage.reconcile().clean
    assert stage.effect("sale:1").state == "ADOPTED"
    assert stage.calls("basta", "createSale") == 1


def test_a_mail_whose_key_is_forgotten_is_given_up_and_not_unknown_for_ever(stage: Rehearsal) -> None:
    with stage.record.write() as session:
        mail = effects.plan(session, "mail:auction_won:invoice-1:1", {})
        mail.state, mail.attempts, mail.acted_at = "UNKNOWN", 1, stage.clock.at
    stage.advance(KEYS_LAST.total_seconds() + 1)
    assert stage.reconcile().clean
    assert stage.effect("mail:auction_won:invoice-1:1").state == "DROPPED"


def test_a_mail_that_went_out_unseen_is_not_sent_again_when_its_key_is_forgotten(stage: Rehearsal) -> None:
    stage.person("ada", "ignores")
    stage.sell("ada")
    went = Fault("resend", "POST /emails", "timeout_after")
    stage.world.faults.plan(went)
    stage.cycle()
    assert went.seen
    stage.world.faults.plan(Fault("resend", "POST /emails", "timeout_before", times=99))
    stage.cycles(5, apart=5 * HOUR)
    stage.world.faults.clear()
    stage.cycles(2)
    assert len(stage.mails("auction_won")) == 1


def test_a_mail_that_waits_for_resend_is_no_difference_however_long_it_is_tried(stage: Rehearsal) -> None:
    stage.person("ada", "ignores")
    stage.sell("ada")
    stage.world.faults.plan(Fault("resend", "POST /emails", "timeout_before", times=99))
    stage.cycle()
    stage.advance(2 * HOUR)
    report = stage.reconcile()
    assert (report.ends_as, report.findings) == ("NotKnownYet", [])


def test_a_refund_that_is_never_answered_is_told_though_each_cycle_tries_it(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.world.faults.plan(Fault("stripe", "POST /v1/credit_notes", "timeout_before", times=99))
    stage.cj.delist(stage.lot(lot).cj_vid)
    stage.cycles(3, apart=HOUR / 2)
    with stage.record.write() as session:
        session.get_one(Effect, f"refund:{lot}:1").attempts = 18  # as many as the cycles of half a morning make
    assert stage.reconcile().ends_as == "NotKnownYet"
    stage.advance(DAY)
    (finding,) = stage.reconcile().findings
    assert (finding.what.value, finding.about) == ("unknown", f"refund:{lot}:1")
    assert finding.text.startswith("tried 20 times since 03 Mar")
    (told,) = stage.incidents("reconcile:our record:unknown")
    assert told.severity == "HIGH"
    stage.world.faults.clear()
    stage.cycles(2)
    assert stage.reconcile().clean
    assert stage.incidents("reconcile:") == []


def test_one_that_cannot_be_asked_about_is_said_and_hides_no_other(stage: Rehearsal) -> None:
    strike(stage, "basta", "createSale", landed=True)
    assert not source(stage)
    with stage.record.write() as session:
        effect: Effect = effects.plan(session, "customer:77", {})
        effect.state, effect.attempts, effect.acted_at = "UNKNOWN", 1, stage.clock.at
    stage.advance(200)
    report = stage.reconcile()
    assert stage.effect("sale:1").state == "ADOPTED"
    assert "asking about customer:77 failed" in (report.unlooked or "")
    assert not report.clean
