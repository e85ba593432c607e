"""Bugs in what is bought at CJ, and how its parcels are followed."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.sandbox.people import Address
from tests.simulation.mutants.planting import Cut, Mutant
from tests.simulation.mutants.scenes import AND, DEAF, LANDED, NOW, OVERLAP, Hunt, Scene, charging_fees
from tests.simulation.rehearsal import Rehearsal

ORDERING, CHECKING = "tasks.fulfilment.ordering", "tasks.fulfilment.checking"
CREATE = "before cj POST /shopping/order/createOrderV2"
PLAIN = Scene("nothing goes wrong", lots=(1,))
CREATION_LOST = Scene("the answer to an order is lost", blows=1, aim=(CREATE,), kinds=LANDED)


def _watched(hunt: Hunt) -> Iterator[str]:
    """Two payments of one order: CJ itself may refuse the second, but it was asked for."""
    pays = hunt.stage.calls("cj", "POST /shopping/pay/payBalance")
    lots = len(hunt.stage.lots())
    if pays > lots:
        yield f"{pays} payments were asked for {lots} orders, within two minutes of each other"


MUTANTS = (
    Mutant(
        "clock-in-the-order-number",
        "every attempt orders under another number",
        (
            Cut(
                f"{ORDERING}:creating",
                "def look(attempt: Attempt)",
                "made = []\n\n    def look(attempt: Attempt)",
            ),
            Cut(
                f"{ORDERING}:creating",
                '            number=request["number"],',
                "            number=(made.append(f\"{request['number']}-{now():%H%M%S}\") or made[-1]),",
            ),
            Cut(
                f"{ORDERING}:creating",
                "lot.cj_order_id, lot.error_message = answer.vendor_id, None",
                "lot.cj_order_id, lot.error_message = answer.vendor_id, None\n"
                "        lot.cj_order_number = made[-1] if made else lot.cj_order_number",
            ),
        ),
        CREATION_LOST,
    ),
    Mutant(
        "number-of-another-lot",
        "the order number is made of the buyer, not of the lot",
        (Cut(f"{ORDERING}:number_of", 'f"HS-{lot_id}"', 'f"HS-{lot_id % 2}"'),),
        Scene("three lots of one buyer", lots=(3,)),
    ),
    Mutant(
        "ordered-when-billed",
        "an order is made as soon as its invoice is sent, and paid when the buyer has paid",
        (
            Cut(
                "tasks.fulfilment.steps:lots_to_order",
                "_lots(session, LotStatus.PAID, sale_id) if lot.cj_order_id is None",
                "[*_lots(session, LotStatus.AUCTION_CLOSED, sale_id), *_lots(session, LotStatus.PAID, sale_id)] "
                "if lot.stripe_invoice_id and lot.cj_order_id is None",
            ),
            Cut(
                f"{ORDERING}:_plan_order",
                "if lot.status is not LotStatus.PAID or",
                "if lot.status not in (LotStatus.AUCTION_CLOSED, LotStatus.PAID) or",
            ),
        ),
        Scene("a buyer takes hours to pay", lots=(1, 2), manners=("no_card",), pays_after=(3.0, 6.0)),
    ),
    Mutant(
        "paid-again-at-once",
        "an order that does not show its payment yet is paid again",
        (Cut(f"{ORDERING}:paying", "twice=True, most=MOST_PAYS", "conclusive=True"),),
        Scene(
            "CJ takes its time over a payment",
            lots=(1,),
            blows=1,
            span=1,
            aim=("before cj POST /shopping/pay/payBalance",),
            kinds=("late",),
            apart=30.0,
            late=100.0,
            judge=_watched,
        ),
    ),
    Mutant(
        "new-word-means-unpaid",
        "a status of CJ's that nobody knows is taken for unpaid",
        (
            Cut(
                "tasks.clients.cj.models:OrderStatus.is_unpaid",
                "OrderStatus.UNPAID)",
                "OrderStatus.UNPAID, OrderStatus.UNKNOWN)",
            ),
        ),
        Scene(
            "CJ has a new word for an order that it has just been paid for",
            lots=(1,),
            blows=1,
            span=1,
            aim=("after cj POST /shopping/pay/payBalance",),
            kinds=(NOW + "CJ has a new word",),
            judge=_watched,
        ),
    ),
    Mutant(
        "payment-believed",
        "what the pay call answers is taken for the truth",
        (Cut(f"{ORDERING}:paying", "return Proof.BY_READING", "return Answer(order_id, {})"),),
        Scene("CJ lies about a payment", lots=(1, 2), happenings=("cj lies about a payment",), hours=(0.0, 0.0)),
    ),
    Mutant(
        "premium-not-billed",
        "the buyer's premium is no line of the invoice",
        (
            Cut(
                "tasks.invoicing.planning:_freeze",
                '(("hammer", lot.winning_bid_cents), ("premium", premium))',
                '(("hammer", lot.winning_bid_cents),)',
            ),
        ),
        Scene("Basta adds a premium", lots=(1,), stage=charging_fees),
    ),
    Mutant(
        "address-taken-incomplete",
        "an address without a postal code is good enough",
        (
            Cut(
                "tasks.fulfilment.address:Address.complete",
                "all(part.strip() for part in (self.name, self.line1, self.city, self.zip_code, self.country))",
                "bool(self.name and self.country)",
            ),
        ),
        Scene(
            "a buyer without a postal code",
            lots=(1,),
            home=Address("Ada Demo", "1 Orchard Row", "Springfield", "IL", ""),
        ),
    ),
    Mutant(
        "price-compared-the-wrong-way",
        "a price that fell is too dear, and one that rose is not",
        (
            Cut(
                "tasks.rules.pricing:rose_too_much",
                "return now_cents > sourced_cents * (ONE + limit)",
                "return now_cents < sourced_cents * (ONE - limit)",
            ),
        ),
        Scene("the supplier's price rises", lots=(1, 2), happenings=("far dearer",), hours=(0.0, 0.0), buyers=1),
    ),
    Mutant(
        "amount-not-compared",
        "what CJ asks for an order is paid, whatever it is",
        (
            Cut(
                f"{ORDERING}:compare",
                "rose_too_much(sourced_cents=lot.landed_cents, now_cents=order.amount_cents, limit=limit)",
                "False",
            ),
        ),
        Scene("CJ asks more than it quoted", lots=(1, 2), stage=lambda stage: _surcharged(stage)),
    ),
    Mutant(
        "cap-checked-once-a-cycle",
        "what the day has spent is read at the beginning of a cycle",
        (
            Cut(
                "tasks.lots.spending:reserve",
                "fits = fits.where(DailySpend.reserved_cents + cents <= cap_cents)",
                "seen = reserve.__dict__.setdefault(int(now().timestamp() // 600), reserved(session))\n"
                '        fits = fits if seen + cents <= cap_cents else fits.where(DailySpend.day == "")',
            ),
        ),
        Scene("a daily cap, and more lots than it pays for", lots=(4, 5), capped=True),
    ),
    Mutant(
        "guard-fails-open",
        "where Stripe does not say whether the money is still there, it is",
        (
            Cut(
                f"{CHECKING}:payment_trouble",
                "    payments = desk.stripe.payments(invoice.stripe_invoice_id)",
                "    try:\n        payments = desk.stripe.payments(invoice.stripe_invoice_id)\n"
                "    except Exception:\n        return None",
            ),
        ),
        Scene(
            "the money goes back, and Stripe is away when it is asked",
            lots=(1,),
            blows=1,
            span=3,
            aim=("before stripe GET /v1/invoice_payments",),
            kinds=(f"{NOW}disputed and lost{AND}500_before",),
            judge=lambda hunt: _ordered_for_nothing(hunt),
        ),
    ),
    Mutant(
        "status-read-then-written",
        "a lot is ordered by what was read of it before the guards were asked",
        (
            Cut(
                f"{ORDERING}:_plan_order",
                "if lot.status is not LotStatus.PAID or lot.refund_status or "
                'effects.of_lot(session, lot_id, "refund"):',
                "if False:",
            ),
        ),
        Scene(
            "the money goes back, and another worker sees it, while this one asks CJ",
            lots=(1, 2),
            blows=1,
            span=4,
            aim=("before cj POST /logistic", "before cj GET /product/variant"),
            kinds=(f"{NOW}refunded by hand{AND}{OVERLAP}",),
            ignore=("CJ's pace",),
        ),
    ),
    Mutant(
        "polling-ends-with-the-first-webhook",
        "an order of which CJ told something is not asked about any more",
        (
            Cut(
                "tasks.tracking:_is_due",
                "    return lot.cj_polled_at is None or",
                "    from tasks.lots.records import InboxEvent\n\n    with desk().record.read() as session:\n"
                '        told = session.scalars(select(InboxEvent).where(InboxEvent.source == "cj"))\n'
                '        if any(one.payload.get("order_number") == lot.cj_order_number for one in told):\n'
                "            return False\n    return lot.cj_polled_at is None or",
            ),
        ),
        Scene(
            "webhooks come, and end",
            lots=(1,),
            webhooks=("normal",),
            blows=1,
            span=3,
            aim=("after cj POST /shopping/order/getOrderDetailBatch",),
            kinds=(DEAF,),
        ),
    ),
    Mutant(
        "pace-not-kept",
        "every call to CJ gets the same slot",
        (Cut("tasks.lots.cj_calls:reserve", "slot.next_at_ms = start + width", "slot.next_at_ms = start"),),
        PLAIN,
    ),
    Mutant(
        "unknown-word-means-paid",
        "an order that was cancelled at CJ counts as paid",
        (
            Cut(
                "tasks.clients.cj.models:OrderStatus.is_paid",
                "not self.is_unpaid and self not in (OrderStatus.CANCELLED, OrderStatus.UNKNOWN)",
                "not self.is_unpaid",
            ),
            Cut("tasks.tracking:apply", "if order.status is OrderStatus.CANCELLED:", "if False:"),
        ),
        Scene("CJ cancels", lots=(1, 2), happenings=("cj cancels",), hours=(0.3, 2.0), buyers=1),
    ),
    Mutant(
        "ordered-again-after-a-cancellation",
        "an order that CJ cancelled is nobody's concern",
        (Cut("tasks.tracking:_cancelled", "if lot.refund_status is None:", "if False:"),),
        Scene("CJ cancels", lots=(1, 2), happenings=("cj cancels",), hours=(0.3, 2.0), buyers=1),
    ),
    Mutant(
        "address-in-the-history",
        "why a lot was ordered tells where it goes",
        (
            Cut(
                f"{ORDERING}:confirming",
                "move(session, lot_id, LotStatus.CJ_ORDERED)",
                'move(session, lot_id, LotStatus.CJ_ORDERED, why=f"goes to {lock(session, lot_id).ship_to}")',
            ),
        ),
        PLAIN,
    ),
    Mutant(
        "secret-in-the-log",
        "what goes wrong at CJ is logged with its key",
        (
            Cut(
                f"{ORDERING}:number_of",
                "return desk.record",
                'import logging\n    logging.getLogger("dropship").info("ordering with %s", '
                "desk.settings.stripe_secret_key.get_secret_value())\n    return desk.record",
            ),
        ),
        PLAIN,
    ),
    Mutant(
        "goods-booked-by-the-quote",
        "the books take what was quoted, not what CJ took",
        (
            Cut(
                "tasks.settling:book_order",
                "total = amount if isinstance(amount, int) else lot.cj_amount_cents or 0",
                "total = lot.landed_cents",
            ),
        ),
        Scene("the supplier becomes a little dearer", lots=(1, 2), happenings=("dearer",), hours=(0.0, 0.0)),
    ),
)


def _surcharged(stage: Rehearsal) -> None:
    stage.cj.options.order_surcharge_cents = 1_000


def _ordered_for_nothing(hunt: Hunt) -> Iterator[str]:
    disputes = [one["created"] for one in hunt.stage.bank.store.disputes.values()]
    for order in hunt.stage.cj.orders:
        if disputes and order.created.timestamp() > min(disputes):
            yield f"{order.number} was ordered when its money was gone"
