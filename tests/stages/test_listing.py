"""L1, L2, L3, L9: a sale is published when it is sound, and never twice."""

from __future__ import annotations

from contextlib import suppress

import pytest

from deployments.sandbox.faults import Fault
from deployments.sandbox.wire import Reply
from tasks import listing
from tasks.clients.service import ServiceUnavailable
from tasks.desk import Unsettled, desk
from tests.simulation.rehearsal import HOUR, Rehearsal

REFUSAL = Reply(200, b'{"data": null, "errors": [{"message": "title is not allowed"}]}', {})


def test_one_of_five_lots_that_cannot_be_created_is_cancelled_and_four_are_published(stage: Rehearsal) -> None:
    """L2."""

    def refuse_the_third(label: str) -> None:
        made = sum(len(sale.items) for sale in stage.house.sales.values())
        if label == "basta createItemForSale" and made == 2 and not stage.exchange.scripted and not refused:
            refused.append(label)
            stage.exchange.scripted.append((label, REFUSAL))

    refused: list[str] = []
    stage.exchange.before = refuse_the_third
    state = stage.source(products=5)
    assert state.is_completed(), state.message
    ends = [lot.status for lot in stage.lots()]
    assert sorted(ends) == ["CANCELLED", *["PUBLISHED"] * 4]
    (lost,) = [lot for lot in stage.lots() if lot.status == "CANCELLED"]
    assert "title is not allowed" in (lost.error_message or "")
    (sale,) = stage.house.sales.values()
    assert len(sale.items) == 4


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("garbage", "what the address serves is no picture"),
        ("500_before", "answered HTTP 500"),
        ("timeout_before", "did not answer"),
    ],
)
def test_when_no_picture_of_a_lot_can_be_had_it_is_removed_and_said_so(
    stage: Rehearsal, kind: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    """L3."""
    seen: list[str] = []

    def spoil(label: str) -> None:
        listed = [lot for lot in stage.lots() if lot.status == "LISTED"]
        if label == "images GET picture" and listed:
            urls = len(listed[0].image_urls)
            if len(seen) < urls:
                seen.append(label)
                stage.world.faults.plan(Fault("images", "GET picture", kind))

    stage.exchange.before = spoil
    caplog.set_level("INFO", "dropship")
    state = stage.source(products=2)
    assert state.is_completed(), state.message
    first, second = stage.lots()
    assert (first.status, second.status) == ("CANCELLED", "PUBLISHED")
    assert "no picture" in (first.error_message or "")
    (sale,) = stage.house.sales.values()
    assert [item.external_id for item in sale.items] == [stage.record.known_as(f"lot-{second.id}")]
    assert says in caplog.text
    assert "Image 1: not uploaded, " in caplog.text
    assert f"Image 1: uploaded (lot {second.id})" in caplog.text  # the words that the operator looks for
    assert stage.lot(second.id).images_verified > 0
    assert f"pictures: {stage.lot(second.id).images_verified} uploaded" in caplog.text


def test_a_sale_without_any_picture_is_not_published_and_is_no_success(stage: Rehearsal) -> None:
    stage.world.faults.plan(Fault("images", "GET picture", "garbage", times=10_000))
    with pytest.raises(Exception, match="no lot with a picture"):
        stage.source(products=2)
    (sale,) = stage.house.sales.values()
    assert sale.status == "UNPUBLISHED"
    assert sale.items == []
    assert all(lot.status == "CANCELLED" for lot in stage.lots())


class TestTheAddressPolicy:
    """L9."""

    def test_it_is_made_once_attached_and_seen(self, stage: Rehearsal) -> None:
        stage.source("phone stand")
        stage.source("desk lamp")
        (policy,) = stage.house.policies
        assert all(sale.policies == [policy["id"]] for sale in stage.house.sales.values())

    def test_where_it_cannot_be_attached_nothing_is_published(self, stage: Rehearsal) -> None:
        refusal = Reply(200, b'{"data": null, "errors": [{"message": "forbidden"}]}', {})
        stage.exchange.scripted.append(("basta attachSaleRegistrationPolicies", refusal))
        with pytest.raises(Exception, match="cannot be attached"):
            stage.source()
        (sale,) = stage.house.sales.values()
        assert sale.status == "UNPUBLISHED"
        assert stage.source().is_completed()  # the same command goes on with the same sale
        assert [one.status for one in stage.house.sales.values()] == ["PUBLISHED"]

    def test_an_account_that_knows_no_policies_publishes_with_a_warning(
        self, stage: Rehearsal, caplog: pytest.LogCaptureFixture
    ) -> None:
        stage.house.options.revision = "A"
        assert stage.source().is_completed()
        assert [one.status for one in stage.house.sales.values()] == ["PUBLISHED"]
        assert "knows no registration policies" in caplog.text


WRITES = [
    "createSale",
    "createItemForSale",
    "createUploadUrl",
    "PUT upload",
    "updateItemForSale",
    "createSaleRegistrationPolicy",
    "attachSaleRegistrationPolicies",
    "publishSale",
]
#: Not knowing, without an effect, with it, and when it lands late; `python -m tests.simulation faults` has the rest.
KINDS = ["timeout_before", "timeout_after", "late"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", WRITES)
def test_a_fault_in_any_write_to_basta_ends_in_one_sale_without_a_duplicate_or_an_orphan(
    stage: Rehearsal, write: str, kind: str
) -> None:
    """L1 for faults: kills are the simulation's."""
    stage.world.faults.plan(Fault("basta", write, kind))
    for _ in range(6):
        with suppress(RuntimeError, ServiceUnavailable, Unsettled):  # a run that stops is gone on with
            if stage.source(products=2).is_completed():
                break
        stage.advance(200)
    assert stage.world.faults.planned[0].seen >= 1
    one_sale_of_two(stage)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", WRITES)
def test_a_death_at_any_write_to_basta_ends_in_one_sale_without_a_duplicate_or_an_orphan(
    stage: Rehearsal, write: str, when: str
) -> None:
    """L1: before the call is sent, or after its effect and before anything of it is written down."""
    died: list[str] = []

    def kill(label: str) -> None:
        if label == f"basta {write}" and not died:
            died.append(label)
            raise KeyboardInterrupt

    setattr(stage.exchange, when, kill)
    with pytest.raises(KeyboardInterrupt):
        stage.source(products=2)
    stage.desk = stage.open_desk()
    for _ in range(6):
        stage.advance(200)
        with suppress(RuntimeError, ServiceUnavailable, Unsettled):
            if stage.source(products=2).is_completed():
                break
    one_sale_of_two(stage)


def one_sale_of_two(stage: Rehearsal) -> None:
    (sale,) = stage.house.sales.values()
    assert sale.status == "PUBLISHED"
    assert sorted(item.external_id for item in sale.items) == [stage.record.known_as(f"lot-{n}") for n in (1, 2)]
    for item in sale.items:
        named = [image["externalId"] for image in item.images]
        assert named
        assert len(named) == len(set(named))
    assert len(stage.house.policies) == 1
    assert [lot.status for lot in stage.lots()] == ["PUBLISHED", "PUBLISHED"]
    assert stage.unsettled() == []


def test_dates_are_set_when_publishing_and_each_lot_closes_in_its_own_moment(stage: Rehearsal) -> None:
    assert stage.source(products=3, publish=False).is_completed()
    stage.advance(5 * 86_400)
    row = listing.sale_of(next(iter(stage.house.sales)))
    assert row is not None
    sent = len(stage.world.calls)
    assert listing.publishing.preview(desk(), row) == ([lot.id for lot in stage.lots()], [])
    assert len(stage.world.calls) == sent
    listing.publish_sale(row)
    items = next(iter(stage.house.sales.values())).items
    assert len({item.closes for item in items}) == 3
    assert all(item.opens > stage.clock.at for item in items)


def test_who_publishes_while_another_just_did_finds_it_published(stage: Rehearsal) -> None:
    stage.source(products=2, publish=False)
    came: list[listing.publishing.Published] = []

    def another(label: str) -> None:
        stage.exchange.before = lambda _: None
        came.append(listing.publish_sale(1))

    stage.exchange.before = another
    late = listing.publish_sale(1)
    assert (came[0].lots, late.lots, late.note) == (2, 2, "it was published before")
    assert stage.calls("basta", "publishSale") == 1


def test_a_picture_that_cannot_be_had_any_more_leaves_no_effect_open(stage: Rehearsal) -> None:
    """Struck in the upload, and the supplier's host away when the run goes on: it is looked for all the same."""
    stage.world.faults.plan(Fault("basta", "createUploadUrl", "timeout_after"))
    with pytest.raises(RuntimeError, match="not finished"):
        stage.source()
    stage.advance(HOUR)
    stage.world.faults.plan(Fault("images", "GET picture", "500_before"))
    assert stage.source().is_completed()
    assert stage.unsettled() == []
