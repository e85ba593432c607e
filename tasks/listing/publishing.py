"""Publishing a sale: only items with a picture, with fresh dates, behind the policy that demands an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.clients.basta import Item
from tasks.clients.service import ServiceRefused
from tasks.desk import Desk
from tasks.editing import adopt_edits
from tasks.listing.making import external_id_of, new_item
from tasks.listing.unlisting import PICTURELESS, UNLOOKED_FOR, unlist
from tasks.lots import effects
from tasks.lots.clock import now, sleep
from tasks.lots.manners import Answer, Attempt, Came, Manner
from tasks.lots.models import Lot, Sale
from tasks.lots.moving import follow
from tasks.lots.records import Effect
from tasks.lots.states import LotStatus
from tasks.retrying import Log

POLICY = "shipping-address"
POLICY_RULE = 'user.addresses.filter(a, a.addressType == "SHIPPING").size() > 0'
#: Basta shows an uploaded picture a moment later.
LOOKS, BETWEEN_LOOKS = 10, 0.5


@dataclass(frozen=True)
class Published:
    """What came of publishing a sale."""

    sale_id: str
    lots: int
    removed: int
    note: str


class NotPublished(Exception):
    """The sale may not go out; the message says why. It stays as it is."""


def publish(desk: Desk, sale_row: int, tell: Log) -> Published:
    """Publish a sale once it is sound: every item pictured and dated, the address policy attached, read back.

    Raises:
        NotPublished: no item is left, or the policy cannot be attached.
        Unsettled, ServiceUnavailable: Basta did not say.
    """
    with desk.record.read() as session:
        sale = session.get_one(Sale, sale_row)
    assert sale.basta_sale_id
    removed, note = 0, "it was published before"
    if sale.published_at is None:
        removed = _unlist_pictureless(desk, sale, tell)
        _unlist_unlooked_for(desk, sale, tell)
    if lots := _dated(desk, sale_row):
        for lot in lots:
            assert lot.basta_item_id
            desk.basta.update_item(sale.basta_sale_id, lot.basta_item_id, new_item(desk, lot))
        note = _demand_address(desk, sale.basta_sale_id, tell)
        _read_back(desk, sale.basta_sale_id, lots)
        _publish(desk, sale)
    with desk.record.read() as session:
        if session.get_one(Sale, sale_row).published_at is None:
            raise NotPublished("no lot with a picture is left in the sale: nothing is published")
        shown = len(list(session.scalars(select(Lot.id).where(Lot.sale_id == sale_row, Lot.status == "PUBLISHED"))))
    return Published(sale.basta_sale_id, shown, removed, note)


def preview(desk: Desk, sale_row: int) -> tuple[list[int], list[int]]:
    """The lots that publishing would show, and those that would leave the sale, as far as our record tells."""
    with desk.record.read() as session:
        lots = _listed(session, sale_row)
        pictured = [lot.id for lot in lots if _uploaded(session, lot)]
    return pictured, [lot.id for lot in lots if lot.id not in pictured]


def _uploaded(session: Session, lot: Lot) -> list[Effect]:
    """The pictures of a lot that Basta took."""
    return [one for one in effects.of_lot(session, lot.id, "image") if one.state in ("DONE", "ADOPTED")]


def _listed(session: Session, sale_row: int) -> list[Lot]:
    query = select(Lot).where(Lot.sale_id == sale_row, Lot.status == LotStatus.LISTED).order_by(Lot.item_number)
    return list(session.scalars(query))


def _unlist_pictureless(desk: Desk, sale: Sale, tell: Log) -> int:
    """Take every item without a picture that Basta shows out of the sale; what was edited in the others is adopted."""
    assert sale.basta_sale_id
    with desk.record.read() as session:
        lots = _listed(session, sale.id)
        uploaded = {lot.id: _uploaded(session, lot) for lot in lots}
    items: dict[str, Item] = {}
    shown: dict[str, int] = {}
    for _ in range(LOOKS):
        items = {item.id: item for item in desk.basta.items(sale.basta_sale_id)}
        shown = {item.id: len(item.images) for item in items.values()}
        if all(shown.get(lot.basta_item_id or "", 0) >= len(uploaded[lot.id]) for lot in lots):
            break
        sleep(BETWEEN_LOOKS)
    removed = 0
    for lot in lots:
        pictures = shown.get(lot.basta_item_id or "", 0)
        with desk.record.write() as session:
            ours = session.get_one(Lot, lot.id)
            ours.images_verified = pictures
            if lot.basta_item_id in items:  # its dates are set next, and all its words with them
                adopt_edits(session, ours, items[lot.basta_item_id])
        if not pictures:
            tell.warning("Lot %s leaves the sale: no picture of it could be uploaded", lot.id)
            unlist(desk, lot.id, PICTURELESS)
            removed += 1
    return removed


def _unlist_unlooked_for(desk: Desk, sale: Sale, tell: Log) -> None:
    """Take out what landed when its lot was cancelled: no lot of ours would stand behind what is sold there.

    Raises:
        NotPublished: Basta keeps it.
    """
    assert sale.basta_sale_id
    with desk.record.read() as session:
        query = select(Lot.id).where(Lot.sale_id == sale.id, Lot.status == LotStatus.CANCELLED)
        gone = {external_id_of(desk, lot_id): lot_id for lot_id in session.scalars(query)}
    if not gone:
        return
    for item in desk.basta.items(sale.basta_sale_id):
        lot_id = gone.get(item.external_id or "")
        if lot_id is None:
            continue
        tell.warning("Lot %s leaves the sale: it was cancelled before Basta had put it there", lot_id)
        with desk.record.write() as session:
            session.get_one(Lot, lot_id).basta_item_id = item.id
        if unlist(desk, lot_id, UNLOOKED_FOR).came is not Came.DONE:
            raise NotPublished(f"lot {lot_id} is cancelled, and Basta keeps its item in the sale")


def _dated(desk: Desk, sale_row: int) -> list[Lot]:
    """Give every lot its own closing date, from now on: a run that resumes late opens late. None once published."""
    settings = desk.settings
    opens = now() + timedelta(hours=settings.auction_opens_after_hours)
    closes = opens + timedelta(hours=settings.auction_duration_hours)
    apart = timedelta(seconds=min(settings.closing_countdown_seconds, settings.auction_duration_hours * 360))
    with desk.record.write() as session:
        # The sale before its lots, as everywhere: two workers who took them in either order would wait for each other.
        sale = session.get_one(Sale, sale_row, with_for_update=True)
        if sale.published_at is not None:
            return []
        lots = _listed(session, sale_row)
        for number, lot in enumerate(lots):
            lot.opens_at, lot.closes_at = opens, closes + number * apart
        if lots:
            sale.opens_at, sale.closes_at = opens, lots[-1].closes_at
        return lots


def _demand_address(desk: Desk, sale_id: str, tell: Log) -> str:
    """Attach the policy that asks bidders for an address, found or made once, and see that it is attached."""
    if not desk.basta.has_policies:
        tell.warning("This Basta account knows no registration policies: bidders are not asked for an address")
        return "without the address policy, which this account does not know"
    with desk.record.write() as session:
        effects.plan(session, "policy", {"code": POLICY})
    policy = desk.settle("policy", making_policy(desk))
    if policy.came is not Came.DONE or policy.vendor_id is None:
        raise NotPublished(f"the address policy cannot be made: {policy.error}")
    try:
        desk.basta.attach_policies(sale_id, [policy.vendor_id])
    except ServiceRefused as error:
        raise NotPublished(f"the address policy cannot be attached: {error}") from error
    if policy.vendor_id not in {one.id for one in desk.basta.sale_policies(sale_id)}:
        raise NotPublished("the address policy was attached, but the sale does not show it")
    return "behind the address policy"


def making_policy(desk: Desk) -> Manner:
    """How the policy is looked for and made."""

    def look(_: Attempt) -> Answer | None:
        found = [policy for policy in desk.basta.policies() if policy.code == POLICY]
        return Answer(found[0].id, {}) if found else None

    def act(attempt: Attempt) -> Answer:
        if found := look(attempt):
            return found
        made = desk.basta.create_policy(POLICY, "A shipping address is needed to bid.", POLICY_RULE)
        return Answer(made.id, {})

    return Manner(look=look, act=act)


def _read_back(desk: Desk, sale_id: str, lots: list[Lot]) -> None:
    """What is about to be published is what we mean, item by item."""
    items = {item.id: item for item in desk.basta.items(sale_id)}
    for lot in lots:
        item = items.get(lot.basta_item_id or "")
        if item is None or item.reserve_cents != lot.reserve_cents or not item.images:
            raise NotPublished(f"lot {lot.id} does not read back from Basta as it was put there")


def _publish(desk: Desk, sale: Sale) -> None:
    with desk.record.write() as session:
        effects.plan(session, f"publish:{sale.id}", {"sale_id": sale.basta_sale_id}, sale_id=sale.id)
    outcome = desk.settle(f"publish:{sale.id}", publishing_sale(desk, sale))
    if outcome.came is Came.PAUSED:
        raise NotPublished("sourcing is paused: nothing is published")


def publishing_sale(desk: Desk, sale: Sale) -> Manner:
    """How a sale is seen to be published, published, and recorded with the lots that are in it."""
    sale_id = sale.basta_sale_id or ""

    def look(_: Attempt) -> Answer | None:
        theirs = desk.basta.sale(sale_id)
        return Answer(sale_id, {"status": theirs.status}) if theirs and theirs.is_published else None

    def act(_: Attempt) -> Answer:
        desk.basta.publish_sale(sale_id)
        return Answer(sale_id, {"status": "PUBLISHED"})

    def record(session: Session, _: Attempt, __: Answer) -> None:
        row = session.get_one(Sale, sale.id)
        row.published_at, row.status = now(), "PUBLISHED"
        for lot in _listed(session, sale.id):
            follow(session, lot.id, LotStatus.PUBLISHED)

    # Publishing twice is refused by Basta itself.
    return Manner(look=look, act=act, record=record, conclusive=True)
