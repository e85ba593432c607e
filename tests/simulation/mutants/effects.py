"""Bugs in how nothing happens twice: claim, look, act, record."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from tasks.lots.records import Effect
from tests.simulation.mutants.planting import Cut, Mutant
from tests.simulation.mutants.scenes import LANDED, NEXT_COMMIT, OVERLAP, STALL, Hunt, Scene, delivered
from tests.simulation.rehearsal import Rehearsal

MADE_AT_BASTA = ("before basta createSale", "before basta createItemForSale", "before basta createOrder")
LANDED_AT_BASTA = Scene("answers of Basta are lost", blows=2, aim=MADE_AT_BASTA, kinds=LANDED)
LATE_AT_BASTA = Scene(
    "Basta acts a minute late, and is watched closely",
    lots=(1, 2),
    blows=1,
    aim=("before basta createOrder",),
    kinds=("late",),
    apart=30.0,
    late=75.0,
)
KILLED_AT_COMMITS = Scene(
    "killed just when an effect is settled",
    lots=(1, 2),
    blows=1,
    aim=("after basta create", "after stripe POST /v1/invoices", "after cj PATCH"),
    span=9,
    kinds=(NEXT_COMMIT,),
)


def _once(hunt: Hunt) -> Iterator[str]:
    """Who is only waited for has nothing taken away."""
    with hunt.record.read() as session:
        rows = session.scalars(select(Effect).where(Effect.attempts > 1))
        yield from (f"{row.key} took {row.attempts} attempts beside another worker's" for row in rows)
    late = hunt.stage.incidents("late:", closed=True)
    yield from (f"{one.key}: another worker took what was not its own" for one in late)


BESIDE = Scene(
    "a second worker beside the first",
    blows=2,
    aim=("before basta createOrder", "before stripe POST /v1/inv", "before cj POST /shopping/order/createO"),
    kinds=(OVERLAP,),
    ignore=("CJ's pace",),
    judge=_once,
)


def _told_of_two(hunt: Hunt) -> Iterator[str]:
    """Nobody can call back what is on its way; but two of a thing are told."""
    orders = [one for one in hunt.stage.house.orders.values() if one.status != "CANCELLED"]
    if len(orders) > 1 and not hunt.stage.incidents("late:", closed=True):
        yield "two orders at Basta, and nobody is told"


STOOD_STILL = Scene(
    "a worker stands still before it acts, and is overtaken",
    lots=(1,),
    blows=1,
    span=1,
    aim=("before basta createOrder",),
    kinds=(STALL,),
    ignore=("CJ's pace", "every item is a lot's"),
    judge=_told_of_two,
)


def _failing_inside(stage: Rehearsal) -> None:
    stage.bank.fail_inside("POST /v1/invoices/{id}/pay")


PERFORM, CLAIM, TOO_EARLY, AGAIN, ACT, RECORD = (
    f"tasks.lots.effects:{name}" for name in ("perform", "_claim", "_is_too_early", "_begin_again", "_act", "_record")
)
MUTANTS = (
    Mutant(
        "lookup-skipped",
        "after a timeout the call is simply made again",
        (Cut(PERFORM, "if not fresh:", "if False:"),),
        LANDED_AT_BASTA,
    ),
    Mutant(
        "timeout-means-nothing-happened",
        "every error is taken for one that swears that nothing happened",
        (
            Cut(
                "tasks.lots.effects:_leave",
                'nothing_happened = getattr(error, "executed", None) is False',
                "nothing_happened = error is not None",
            ),
        ),
        LANDED_AT_BASTA,
    ),
    Mutant(
        "timeout-is-a-no",
        "any error is taken for the vendor's refusal",
        (Cut(ACT, "except refusal as error:", "except (refusal, Exception) as error:"),),
        LANDED_AT_BASTA,
    ),
    Mutant(
        "quiet-time-ignored",
        "what a look does not find is at once done again",
        (Cut(TOO_EARLY, "not manner.conclusive and at < (effect.acted_at or at) + quiet", "False"),),
        LATE_AT_BASTA,
    ),
    Mutant(
        "lease-not-checked",
        "a worker takes what another one is doing",
        (Cut(CLAIM, "if effect.lease_until and effect.lease_until > at:", "if False:"),),
        BESIDE,
    ),
    Mutant(
        "recorded-without-owner",
        "a worker that was overtaken writes its answer over the other's",
        (
            Cut(RECORD, "effect.owner == owner and effect.state not in SETTLED", "True"),
            Cut(RECORD, "if came_first is not None:", "if False:"),
        ),
        STOOD_STILL,
    ),
    Mutant(
        "generation-never-rises",
        "Stripe's stored failure is asked for again and again",
        (Cut(AGAIN, "effect.generation += 0 if half_built else 1", "effect.generation += 0"),),
        Scene("Stripe fails inside", lots=(1,), stage=_failing_inside, judge=delivered),
    ),
    Mutant(
        "recorded-in-two-transactions",
        "the effect is settled first, and the lot is moved afterwards",
        (
            Cut(
                RECORD,
                "            manner.record(session, attempt, answer)\n    if twin",
                "    if mine is not None:\n        with record.write() as session:\n"
                "            manner.record(session, attempt, answer)\n    if twin",
            ),
        ),
        KILLED_AT_COMMITS,
    ),
    Mutant(
        "pause-read-once-a-cycle",
        "what is stopped in the middle of a cycle goes on to its end",
        (Cut(CLAIM, "if not only_to_look and pauses.stops(session, effect.kind):", "if False:"),),
        Scene(
            "buying is paused in the middle of a cycle",
            lots=(2, 3),
            blows=1,
            aim=("before cj POST /logistic", "after cj POST /shopping/order/createOrderV2"),
            kinds=("now: buying paused",),
            judge=lambda hunt: _bought_in_a_pause(hunt),
        ),
    ),
)


def _bought_in_a_pause(hunt: Hunt) -> Iterator[str]:
    for since, until in hunt.pauses:
        for call in hunt.stage.world.calls:
            buys = call.vendor == "cj" and call.operation.startswith(("POST /shopping", "PATCH /shopping"))
            if buys and "Batch" not in call.operation and since < call.at < until:
                yield f"{call.operation} at {call.at:%H:%M:%S}, in a pause since {since:%H:%M:%S}"
