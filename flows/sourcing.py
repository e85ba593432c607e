"""From a keyword to a sale of priced, pictured lots."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

from prefect import flow
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from tasks import approving, guarding, listing, notifying, reporting
from tasks import sourcing as stage
from tasks.cycling import Cycle
from tasks.retrying import run_logger

Word = Annotated[str, Field(min_length=1, max_length=200)]
USD = Annotated[float, Field(gt=0, le=10_000)]
Products = Annotated[int, Field(ge=1, le=5)]


@dataclass(frozen=True)
class Sourced:
    """What one sourcing run made: Basta's sale, its lots, and why other products are none."""

    run_id: int
    keyword: str
    sale_id: str | None
    lots: list[int]
    published: bool
    rejected: dict[str, int]


def _name() -> str:
    return guarding.run_name("sourcing")


@flow(
    name="sourcing",
    flow_run_name=_name,
    task_runner=ThreadPoolTaskRunner(max_workers=4),  # type: ignore[arg-type] # Prefect annotates it too narrowly
    on_failure=[notifying.tell_of_failure],
    on_crashed=[notifying.tell_of_failure],
    description="Search CJ for a keyword, price what can be delivered, and list it as a sale at Basta.",
)
def sourcing(
    keyword: Word | None = None,
    max_cost: USD = 50,
    max_products: Products = 5,
    publish: bool = False,
    dry_run: bool = False,
) -> Any:
    """Turn a keyword into a sale of priced, pictured lots.

    A call whose parameters equal an unfinished run's goes on with that run; with other parameters it finishes
    the old one first.

    Args:
        keyword: What to search CJ for; none takes the next word of the rotation.
        max_cost: The most a product may cost landed (goods and freight), in dollars: more than 0, at most 10,000,
            and above $50 a person is asked first.
        max_products: How many products become lots: 1 to 5.
        publish: Publish the sale at once, so that bidders see it.
        dry_run: Search and price only: nothing is written and nothing is listed.
    """
    try:
        with (
            guarding.only_run("sourcing"),
            notifying.operator_told(),
            guarding.sourcing_watched(unless=(stage.Refused, stage.AwaitingApproval)) as seen,
        ):
            return seen(_source(keyword, round(max_cost * 100), max_products, publish, dry_run))
    except (guarding.LeaseHeld, guarding.Overtaken) as busy:
        return Cancelled(name="Skipped", message=str(busy))
    except stage.RotationEmpty as empty:
        return Cancelled(name="Stopped", message=str(empty))
    except stage.AwaitingApproval as awaiting:
        return Cancelled(name="AwaitingApproval", message=str(awaiting))


def _source(keyword: str | None, cents: int, max_products: int, publish: bool, dry_run: bool) -> Any:
    logger = run_logger()
    allowed, why = guarding.quota_allows_sourcing()
    logger.info(why)
    if not allowed:
        return Cancelled(name="Stopped", message=why)
    if dry_run:
        word, cap = stage.word_and_cap(keyword, cents)
        chosen, _ = _choose(word, cap, max_products)
        reporting.show_products(chosen)
        for line in stage.in_words(chosen):
            logger.info(line)
        return Completed(message=f"dry run: {len(chosen)} products, nothing written", data=chosen)
    try:
        runs = stage.begin(keyword, cents, max_products, publish)
    except stage.AwaitingApproval:
        approving.ask_people()
        raise
    except stage.RotationEmpty as empty:
        guarding.tell_of_empty_rotation(str(empty))
        raise
    results = [_finish(run) for run in runs]
    guarding.heartbeat()
    if not results[-1].lots:
        return Failed(message=f"zero lots listed for {results[-1].keyword!r}", data=results[-1])
    return Completed(message=_summary(results[-1]), data=results[-1])


def _finish(run: stage.Run) -> Sourced:
    """Bring one run to its end, from wherever it stopped."""
    logger = run_logger()
    lots = stage.lots_of(run.id)
    rejected: Counter[str] = Counter()
    cycle = Cycle(budget_seconds=stage.budget_seconds())
    if not lots:
        stage.mark_counted(run.id)
        chosen, rejected = _choose(run.keyword, run.max_cost_cents, run.max_products)
        if not chosen:
            stage.finish(run.id, error=f"no product of {run.keyword!r} can become a lot")
            return Sourced(run.id, run.keyword, None, [], False, dict(rejected))
        reporting.show_products(chosen)
        lots = stage.save_lots(run.id, chosen, rejected)
    sale_row = listing.make_sale(run.id)
    cycle.stage("list", lambda: lots, listing.list_lot)
    cycle.stage("pictures", lambda: lots, listing.put_pictures)
    if not cycle.whole:
        raise RuntimeError(f"run {run.id} is not finished: the same command goes on with it")
    published = False
    if run.publish:
        done = listing.publish_sale(sale_row)
        logger.info("Sale %s published with %s lots, %s", done.sale_id, done.lots, done.note)
        published = True
    stage.finish(run.id)
    return Sourced(run.id, run.keyword, listing.basta_id_of(sale_row), stage.lots_of(run.id), published, dict(rejected))


def _choose(keyword: str, max_cost_cents: int, max_products: int) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The first products that can become lots, in CJ's order."""
    logger = run_logger()
    kept, rejected = stage.candidates(keyword, stage.search(keyword), max_cost_cents)
    chosen: list[dict[str, Any]] = []
    for hit in kept:
        if len(chosen) == max_products:
            break
        product = stage.choose(hit.pid, max_cost_cents)
        if isinstance(product, str):
            rejected[product] += 1
            continue
        chosen.append(product)
        logger.info("Product %s of %s: %s", len(chosen), max_products, product["title"])
    for reason, number in rejected.most_common():
        logger.info("%s products left out: %s", number, reason)
    return chosen, rejected


def _summary(result: Sourced) -> str:
    told = "published" if result.published else "not published"
    return f"{len(result.lots)} lots of {result.keyword!r} in sale {result.sale_id}, {told}"
