"""Bugs in what a buyer is billed and charged, and in how money is recorded."""

from __future__ import annotations

from tests.simulation.knife import CRASH
from tests.simulation.mutants.planting import Cut, Mutant
from tests.simulation.mutants.scenes import LANDED, NOW, Scene, delivered
from tests.simulation.rehearsal import Rehearsal

PLAIN = Scene("nothing goes wrong", lots=(1, 2))
TWO_BUYERS = Scene("two buyers", lots=(3, 4), buyers=2)
MAILS_LOST = Scene("answers of Resend are lost", lots=(1,), blows=1, aim=("before resend POST",), kinds=LANDED)


def _one_closes_late(stage: Rehearsal) -> None:
    """Somebody bids in the last second, and bids go on for three hours, when the first lot is closed for long."""
    from datetime import timedelta

    def extended() -> None:
        for item in stage.house.items:
            if item.number == 2:
                item.closing_end = stage.clock.now() + timedelta(hours=3)

    stage.world.after(25 * 3_600 + 150, extended, "bids go on")


CREATE, FINALIZE = "tasks.clients.stripe.client:Stripe.create_invoice", "tasks.clients.stripe.client:Stripe.finalize"
MUTANTS = (
    Mutant(
        "draft-advances-by-itself",
        "Stripe finalizes and charges a draft when its hour has come",
        (
            Cut(CREATE, '"auto_advance": False', '"auto_advance": True'),
            Cut(FINALIZE, '{"auto_advance": False}', "{}"),
        ),
        PLAIN,
    ),
    Mutant(
        "late-lot-never-invoiced",
        "a buyer has one invoice for a sale, and what is won later is on none",
        (
            Cut(
                "tasks.invoicing.planning:_freeze",
                "    invoice = Invoice(",
                "    if seq:\n        return\n    invoice = Invoice(",
            ),
        ),
        Scene("a lot closes when the invoice is out", lots=(2,), stage=_one_closes_late),
    ),
    Mutant(
        "late-lot-on-the-first-invoice",
        "a lot that is won later is written on the invoice that went out",
        (
            Cut(
                "tasks.invoicing.planning:_freeze",
                "    invoice = Invoice(",
                "    if seq:\n        for lot in lots:\n"
                "            lot.invoice_id = session.scalars(select(Invoice.id)).first()\n"
                "        return\n    invoice = Invoice(",
            ),
        ),
        Scene("a lot closes when the invoice is out", lots=(2,), stage=_one_closes_late),
    ),
    Mutant(
        "second-invoice-for-the-same-lots",
        "an invoice is not found again by its reference",
        (
            Cut(
                "tasks.clients.stripe.client:Stripe.invoice_by_ref",
                "if one.ref == ref]",
                "if one.ref == ref and False]",
            ),
        ),
        Scene(
            "Stripe's answers are lost, and its keys too",
            lots=(1, 2),
            blows=2,
            aim=("before stripe POST /v1/invoices",),
            kinds=("keys_forgotten", "timeout_after"),
        ),
    ),
    Mutant(
        "lines-added-again",
        "a draft that was left half built gets all its lines once more",
        (
            Cut("tasks.invoicing.sending:_finish", "if line.ref not in have", "if True"),
            Cut("tasks.invoicing.sending:_finish", "if theirs != ours:", "if False:"),
        ),
        Scene(
            "the answer to an invoice's lines is lost, and Stripe's keys too",
            lots=(1, 2),
            blows=1,
            aim=("before stripe POST /v1/invoices/{id}/add_lines",),
            span=1,
            kinds=("keys_forgotten",),
        ),
    ),
    Mutant(
        "paid-by-the-word-alone",
        "an invoice that reads paid is paid, whatever was captured",
        (
            Cut("tasks.settling:mark_paid", "if captured <= 0:", "if False:"),
            Cut("tasks.settling:mark_paid", "if captured < owed:", "if False:"),
        ),
        Scene(
            "a buyer has credit",
            lots=(1, 2),
            manners=("no_card",),
            pays_after=(4.0, 8.0),
            blows=1,
            span=1,
            aim=("before stripe POST /v1/invoices/{id}/finalize",),
            kinds=(NOW + "the buyer has credit",),
        ),
    ),
    Mutant(
        "cancelled-without-voiding",
        "at the deadline the lots end, and the invoice goes on asking for money",
        (
            Cut(
                "tasks.collecting:_void",
                '    outcome = at.settle(f"void:{invoice.id}", voiding(at))\n    status = converge(at, invoice.id)',
                "    from tasks.settling import mark_void\n\n    with at.record.write() as session:\n"
                "        mark_void(session, session.get_one(Invoice, invoice.id), by_us=True)\n    return 'VOID'",
            ),
        ),
        Scene("a buyer pays when it is too late, or never", manners=("no_card", "ignores"), pays_after=(13.0, 20.0)),
    ),
    Mutant(
        "voided-unread",
        "at the deadline the lots end before Stripe has said that the invoice is void",
        (
            Cut(
                "tasks.collecting:_void",
                "    with at.record.write() as session:\n        effects.plan(",
                "    from tasks.settling import mark_void\n\n    with at.record.write() as session:\n"
                "        mark_void(session, session.get_one(Invoice, invoice.id), by_us=True)\n        effects.plan(",
            ),
        ),
        Scene(
            "a buyer pays in the last second",
            lots=(1,),
            manners=("no_card",),
            pays_after=(30.0, 40.0),
            blows=1,
            span=1,
            aim=("before stripe POST /v1/invoices/{id}/void",),
            kinds=(NOW + "the buyer pays",),
            judge=delivered,
        ),
    ),
    Mutant(
        "event-marked-handled-first",
        "what Stripe tells is marked as worked before the work",
        (
            Cut(
                "tasks.collecting:look_after",
                "    went_back = any(",
                "    with at.record.write() as session:\n"
                "        inbox.handled(session, *(event.id for event in events))\n"
                "    went_back = any(",
            ),
        ),
        Scene(
            "money goes back, and the cycle that hears of it is killed",
            lots=(1, 2),
            happenings=("refunded by hand", "disputed and lost"),
            hours=(4.0, 8.0),
            webhooks=("none", "normal"),
            blows=2,
            aim=("before stripe GET /v1/invoice_payments", "after stripe GET /v1/invoices/{id}"),
            span=12,
            kinds=(CRASH,),
        ),
    ),
    Mutant(
        "event-handled-when-received",
        "what a webhook tells is stored as worked",
        (Cut("tasks.lots.inbox:receive", "expires_at=at + KEEP,", "expires_at=at + KEEP,\n        handled_at=at,"),),
        Scene(
            "money goes back when all is done, and a webhook tells of it",
            lots=(1,),
            happenings=("refunded by hand",),
            hours=(8.0, 9.0),
            webhooks=("normal",),
        ),
    ),
    Mutant(
        "booked-at-every-look",
        "a fact of money is written down each time that somebody learns of it",
        (
            Cut(
                "tasks.lots.ledger:book",
                'if cents == 0 or session.execute(_OF_FACT, {"fact": fact}).first():',
                "fact = f'{fact}:{now().isoformat()}'\n    if cents == 0:",
            ),
        ),
        Scene("nothing goes wrong, and much is looked at", lots=(1,), manners=("no_card",), apart=600.0),
    ),
    Mutant(
        "fee-not-booked",
        "what Stripe keeps of a payment is in no book",
        (
            Cut(
                "tasks.settling:_book_fee",
                "    invoice.fee_cents = payment.fee_cents",
                "    invoice.fee_cents = payment.fee_cents\n    return",
            ),
        ),
        PLAIN,
    ),
    Mutant(
        "fee-known-later-is-lost",
        "a fee that Stripe does not know at once is never asked for again",
        (
            Cut(
                "tasks.collecting:invoices_due",
                '(Invoice.status == "PAID") & Invoice.fee_cents.is_(None),',
                '(Invoice.status == "-"),',
            ),
        ),
        Scene("Stripe knows its fee an hour later", lots=(1,), stage=lambda stage: _fee_later(stage)),
    ),
    Mutant(
        "mail-key-of-chance",
        "every attempt at a mail has a key of its own",
        (
            Cut(
                "tasks.notifying.mails:send",
                "key=at.record.known_as(key)",
                "key=at.record.known_as(f'{key}:{attempt.number}')",
            ),
        ),
        MAILS_LOST,
    ),
    Mutant(
        "mail-key-without-its-subject",
        "a template goes out once, whatever it is about",
        (Cut("tasks.letters:post", 'key = f"mail:{template}:{subject}:{n}"', 'key = f"mail:{template}:all:{n}"'),),
        TWO_BUYERS,
    ),
    Mutant(
        "unknown-counts-as-sold",
        "who leads a closed lot has won it, whatever the reserve",
        (
            Cut(
                "tasks.clients.basta.models:Item.is_won",
                'and self.reserve_status in ("MET", "NO_RESERVE")',
                "",
            ),
        ),
        Scene("bids stay below the reserve", lots=(1, 2), hammers=("below_reserve",)),
    ),
)


def _fee_later(stage: Rehearsal) -> None:
    stage.bank.options.fee_known_after = 3_600.0
