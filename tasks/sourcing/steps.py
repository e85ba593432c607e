"""Search, choose and price: reads are remembered for a while, and nothing here changes the outside world."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import func, select

from tasks.clients.cj import Found, Product
from tasks.desk import Desk, desk
from tasks.lots import moving
from tasks.lots.models import Lot, SourcingRun
from tasks.lots.states import FINAL
from tasks.retrying import cached, source_of, task
from tasks.rules.money import dollars
from tasks.rules.pricing import HIGHEST_TAX_BP, Premium, Terms, reserve_cents, starting_bid_cents
from tasks.rules.selection import Choice, Hit, Offer, choose_variant, why_not

SEARCH_MINUTES, PRODUCT_MINUTES, FREIGHT_MINUTES = 60, 30, 30
PICTURES = 3
TITLE_LENGTH, DESCRIPTION_LENGTH = 120, 4_000


@task(task_run_name="search {keyword}", **cached(SEARCH_MINUTES))
def _search(keyword: str, source: str) -> list[dict[str, Any]]:
    return [found.model_dump() for found in desk().cj.search(keyword).found]


@task(task_run_name="product {pid}", **cached(PRODUCT_MINUTES))
def _product(pid: str, source: str) -> dict[str, Any] | None:
    product = desk().cj.product(pid)
    return None if product is None else product.model_dump()


@task(task_run_name="freight {vid} {from_country}", **cached(FREIGHT_MINUTES))
def _freight(vid: str, from_country: str, to_country: str, source: str) -> list[dict[str, Any]]:
    ways = desk().cj.freight(from_country=from_country, to_country=to_country, vid=vid)
    return [way.model_dump() for way in ways]


@task(task_run_name="Basta's fees", **cached(60))
def _fees(source: str) -> list[dict[str, Any]] | None:
    fees = desk().basta.account_fees()
    return None if fees is None else [fee.model_dump() for fee in fees]


def search(keyword: str) -> list[Found]:
    """Products for a keyword: one call."""
    return [Found.model_validate(row) for row in _search(keyword, source_of("cj"))]


def candidates(run_keyword: str, found: list[Found], max_cost_cents: int) -> tuple[list[Found], Counter[str]]:
    """Hits that the search answer does not rule out, in CJ's order, and why the others are out."""
    rejected: Counter[str] = Counter()
    kept: dict[str, Found] = {}
    for hit in found:
        seen = Hit(hit.pid, hit.price_low_cents, hit.stock, hit.image_url is not None, hit.on_sale)
        reason = "seen twice" if hit.pid in kept else why_not(seen, max_cost_cents)
        if reason:
            rejected[reason] += 1
        else:
            kept[hit.pid] = hit
    return list(kept.values()), rejected


def terms(at: Desk) -> Terms:
    """What pricing depends on besides the goods: settings, and the premium that Basta really adds."""
    settings = at.settings
    fees = _fees(source_of("basta"))
    if fees is None:
        points = settings.buyer_premium_bp
        premiums: tuple[Premium, ...] = (Premium("Buyer's premium", True, points),) if points else ()
    else:
        premiums = tuple(
            Premium(fee["name"], fee["kind"] == "PERCENTAGE", fee["value"], fee["lower_cents"], fee["upper_cents"])
            for fee in fees
            if fee["kind"] in ("PERCENTAGE", "AMOUNT")
        )
    return Terms(
        reserve_ratio=settings.reserve_ratio,
        starting_ratio=settings.starting_bid_ratio,
        price_rise_limit=settings.price_rise_limit,
        stripe_fee_bp=settings.stripe_fee_bp,
        stripe_fee_fixed_cents=settings.stripe_fee_fixed_cents,
        premiums=premiums,
        tax_bp=HIGHEST_TAX_BP if settings.automatic_tax else 0,
    )


def choose(pid: str, max_cost_cents: int) -> dict[str, Any] | str:
    """Look at one product: the lot it would become, or why it becomes none. Two calls at most."""
    at = desk()
    row = _product(pid, source_of("cj"))
    product = None if row is None else Product.model_validate(row)
    if product is None or not product.on_sale:
        return "off sale"
    if not product.images:
        return "no picture"
    offers = [
        Offer(one.vid, one.price_cents, {part.country: one.units(part.country) for part in one.stock or ()})
        for one in product.variants
    ]
    if all(one.stock is None for one in product.variants):
        stocks = at.cj.product_stock(pid)
        offers = [
            Offer(one.vid, one.price_cents, {part.country: part.total for part in stocks.get(one.vid, ())})
            for one in product.variants
        ]
    choice = choose_variant(
        offers, max_cost_cents=max_cost_cents, ship_to=at.settings.ship_to_country, live=_live(at, pid)
    )
    if isinstance(choice, str):
        return choice
    ways = _freight(choice.vid, choice.from_country, at.settings.ship_to_country, source_of("cj"))
    if not ways:
        return "no route"
    way = min(ways, key=lambda one: (one["cost_cents"], one["name"]))
    if choice.price_cents + way["cost_cents"] > max_cost_cents:
        return "too dear, landed"
    return _lot(product, choice, way)


def _live(at: Desk, pid: str) -> dict[str, int]:
    """How many lots that are not at an end sell each variant of a product."""
    with at.record.read() as session:
        query = select(Lot.cj_vid, func.count()).where(Lot.cj_pid == pid, Lot.status.not_in(FINAL)).group_by(Lot.cj_vid)
        return {row[0]: row[1] for row in session.execute(query)}


def _lot(product: Product, choice: Choice, way: dict[str, Any]) -> dict[str, Any]:
    variant = next(one for one in product.variants if one.vid == choice.vid)
    pictures = [variant.image_url] if variant.image_url else []
    pictures += [one for one in product.images if one not in pictures]
    name = product.name or "Untitled"
    suffix = f" ({variant.key})" if variant.key and variant.key.lower() not in name.lower() else ""
    return {
        "title": name[: TITLE_LENGTH - len(suffix)] + suffix[:TITLE_LENGTH],
        "description": product.description[:DESCRIPTION_LENGTH] or name,
        "image_urls": pictures[: PICTURES * 2],
        "cj_pid": product.pid,
        "cj_vid": choice.vid,
        "cj_sku": variant.sku,
        "stock_seen": choice.units,
        "from_country": choice.from_country,
        "logistic_name": way["name"],
        "goods_cents": choice.price_cents,
        "freight_cents": way["cost_cents"],
        "landed_cents": choice.price_cents + way["cost_cents"],
    }


def in_words(chosen: list[dict[str, Any]]) -> list[str]:
    """What each product would be sold for, a line each; nothing is written."""
    conditions = terms(desk())
    lines = []
    for number, product in enumerate(chosen, start=1):
        reserve = reserve_cents(product["landed_cents"], conditions)
        parts = f"goods {dollars(product['goods_cents'])}, freight {dollars(product['freight_cents'])}"
        first = dollars(starting_bid_cents(reserve, conditions))
        lines.append(f"Lot {number}: {product['title']}: {parts}, reserve {dollars(reserve)}, first bid {first}")
    return lines


def save_lots(run_id: int, chosen: list[dict[str, Any]], rejected: Counter[str]) -> list[int]:
    """Freeze what was chosen, with its prices, as lots: all of them, or none. A second run finds the same."""
    at = desk()
    if existing := lots_of(run_id):
        return existing
    conditions = terms(at)
    with at.record.write() as session:
        run = session.get_one(SourcingRun, run_id)
        if run.chosen is not None:
            return list(session.scalars(select(Lot.id).where(Lot.sourcing_run_id == run_id).order_by(Lot.id)))
        run.chosen, run.rejected = chosen, dict(rejected)
        ids = []
        for number, product in enumerate(chosen, start=1):
            reserve = reserve_cents(product["landed_cents"], conditions)
            lot = Lot(
                **product,
                sourcing_run_id=run_id,
                keyword=run.keyword,
                item_number=number,
                reserve_cents=reserve,
                starting_bid_cents=starting_bid_cents(reserve, conditions),
                images_verified=0,
            )
            ids.append(moving.create(session, lot).id)
        return ids


def lots_of(run_id: int) -> list[int]:
    """The lots of a run, those given up apart."""
    with desk().record.read() as session:
        query = select(Lot.id).where(Lot.sourcing_run_id == run_id, Lot.status != "CANCELLED").order_by(Lot.id)
        return list(session.scalars(query))
