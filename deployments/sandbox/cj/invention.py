"""Products made of dice: the same for the same seed, with the mess that recorded answers show."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product as pairs

from deployments.sandbox.cj.envelope import usd_text
from deployments.sandbox.cj.texts import (
    ADJECTIVES,
    BRANDED,
    CN_TRAITS,
    EDITED,
    KINDS,
    PRAISE,
    TAILS,
    TRAITS,
    Kind,
)

#: What is odd about each product of a kind, in the order in which they are made.
ODDITIES = (
    "plain",
    "nameless_variant",  # variantNameEn is null, one price
    "dear_first",  # the cheapest variant is not the first
    "uuid",  # upper-case UUIDs, a table in the text
    "bad_pictures",  # the first picture is dead, another is a web page
    "no_picture",  # every picture is dead
    "sold_out",  # no stock anywhere
    "us_only",
    "dear",  # every variant costs more than $50
    "accessory",  # 9.00 -- 89.00: the cheap variant is not the thing itself
    "branded",  # [BRAND NAME], a name padded with spaces
    "gone",  # still found, no longer sold
    "scarce",  # one piece at CJ in the US, a mountain at the factory in China
    "cheap_sold_out",  # many variants, no stock of the cheapest
)


@dataclass(frozen=True)
class Stock:
    """Units in one country: at CJ, and at the supplier's."""

    cj: int
    factory: int

    @property
    def total(self) -> int:
        """What CJ would sell."""
        return self.cj + self.factory


@dataclass(frozen=True)
class Variant:
    """What is bought. Price in cents, weight in grams, size in mm; `stock` by country, as first counted."""

    vid: str
    pid: str
    sku: str
    name: str | None
    key: tuple[str, ...]
    price_cents: int
    grams: int
    size: tuple[int, int, int]
    image: str
    stock: dict[str, Stock]
    created_ms: int


@dataclass(frozen=True)
class Product:
    """What is found. Images are names on the picture host; the description awaits its `{base}`."""

    pid: str
    sku: str
    name: str
    names_cn: tuple[str, ...]
    kind: Kind
    oddity: str
    images: tuple[str, ...]
    description: str
    variants: tuple[Variant, ...]
    listed: int
    created_ms: int
    search_price: str

    @property
    def gone(self) -> bool:
        """Off sale since before we came, though the search still shows it."""
        return self.oddity == "gone"

    @property
    def category_id(self) -> str:
        """The third level's id."""
        return category_id(self.kind.category)


def category_id(path: tuple[str, ...]) -> str:
    """An upper-case UUID, the same for the same names."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(path))).upper()


@cache
def invent(seed: int) -> tuple[Product, ...]:
    """The whole catalogue of a seed; what it says never changes, so that one is enough for all."""
    return tuple(
        _product(kind, oddity, number * len(ODDITIES) + place, random.Random(f"{seed}/{kind.keyword}/{oddity}"))
        for number, kind in enumerate(KINDS)
        for place, oddity in enumerate(ODDITIES)
    )


def _product(kind: Kind, oddity: str, number: int, dice: random.Random) -> Product:
    pid = _id(dice, number, oddity)
    sku = f"CJ{dice.choice(('YD', 'JT', 'TX', 'JJ', 'WY'))}{1_000_000 + number * 37 + dice.randrange(30)}"
    name = f"{dice.choice(ADJECTIVES)} {kind.noun} {dice.choice(TRAITS)}"
    if oddity == "branded":
        name = f" {name}  "
    elif oddity == "scarce":
        name = f"{dice.choice(ADJECTIVES)}  {kind.noun} {kind.cn} {dice.choice(TRAITS)}"
    stem = f"{kind.keyword.replace(' ', '-')}-{ODDITIES.index(oddity)}"
    images = tuple(_images(stem, oddity, dice.randint(3, 6)))
    created = 1_700_000_000_000 + number * 86_400_000 + dice.randrange(86_400) * 1000
    variants = tuple(_variants(kind, oddity, pid, sku, name, images, created, dice))
    return Product(
        pid=pid,
        sku=sku,
        name=name,
        names_cn=(f"{dice.choice(CN_TRAITS)}{kind.cn} {dice.choice(CN_TRAITS)}", kind.cn),
        kind=kind,
        oddity=oddity,
        images=images,
        description=_description(kind, oddity, images, variants, dice),
        variants=variants,
        listed=dice.randrange(4_000),
        created_ms=created,
        search_price=_search_price(oddity, [v.price_cents for v in variants], number),
    )


def _id(dice: random.Random, number: int, oddity: str, place: int = 0) -> str:
    if oddity == "uuid":
        return str(uuid.UUID(int=dice.getrandbits(128), version=4)).upper()
    return f"{16 + number % 5}{number:04d}{dice.randrange(10**10):010d}{place:03d}"


def _images(stem: str, oddity: str, count: int) -> Iterator[str]:
    """Names on the picture host: "dead-" is not there, "html-" is a web page."""
    for n in range(1, count + 1):
        name = f"{stem}-{n}.{'png' if n % 3 == 0 else 'jpg'}"
        if oddity == "no_picture" or (oddity == "bad_pictures" and n == 1):
            yield f"dead-{name}"
        elif oddity == "bad_pictures" and n == 2:
            yield f"html-{name}"
        else:
            yield name


def _variants(
    kind: Kind,
    oddity: str,
    pid: str,
    sku: str,
    name: str,
    images: tuple[str, ...],
    created: int,
    dice: random.Random,
) -> Iterator[Variant]:
    keys = [key if isinstance(key, tuple) else (key,) for key in _keys(kind)]
    wanted = {"nameless_variant": 1, "branded": 1, "dear_first": 5, "cheap_sold_out": 12, "accessory": 3}
    keys = keys[: wanted.get(oddity, dice.randint(2, 4))]
    prices = _prices(kind, oddity, len(keys), dice)
    number = int(sku[4:])
    for place, (key, price) in enumerate(zip(keys, prices, strict=True)):
        accessory = oddity == "accessory" and place == 1
        shown = (*key[:-1], f"{key[-1]} {kind.extra} Only") if accessory else key
        spaced = " " if oddity == "dear_first" and place == 2 else ""
        grams = dice.randint(kind.grams * 8 // 10, kind.grams * 12 // 10)
        side = dice.randint(60, 240)
        yield Variant(
            vid=_id(dice, number % 10_000, oddity, place + 1),
            pid=pid,
            sku=f"{sku}{spaced}{place + 1:02d}{TAILS[place % len(TAILS)]}",
            name=None if oddity in ("nameless_variant", "branded") else f"{name.strip()} {' '.join(shown)}",
            key=shown,
            price_cents=price,
            grams=grams // 4 if accessory else grams,
            size=(side + 20, side, max(30, side // 3)),
            image=images[place % len(images)],
            stock=_stock(oddity, place, price == min(prices), dice),
            created_ms=created + place,
        )


def _keys(kind: Kind) -> list[tuple[str, ...]]:
    if not kind.second:
        return [(one,) for one in kind.first]
    return list(pairs(kind.first, kind.second))


def _prices(kind: Kind, oddity: str, count: int, dice: random.Random) -> list[int]:
    if oddity == "dear":
        return sorted(dice.randint(5_200, 9_900) for _ in range(count))
    if oddity == "accessory":
        return [8_900, 900, *(dice.randint(2_000, 4_000) for _ in range(count - 2))][:count]
    base = dice.randint(kind.low, kind.high)
    prices = [base + place * dice.randint(5, max(6, base // 20)) for place in range(count)]
    if oddity == "dear_first":
        prices.reverse()
    elif oddity == "cheap_sold_out":
        dice.shuffle(prices)
    return prices


def _stock(oddity: str, place: int, cheapest: bool, dice: random.Random) -> dict[str, Stock]:
    factory = dice.randint(40, 60_000)
    at_us = dice.randint(5, 300)
    match oddity:
        case "sold_out":
            return {"CN": Stock(0, 0)} if place % 2 else {}
        case "us_only":
            return {"US": Stock(at_us, 0)}
        case "scarce":
            return {"CN": Stock(4, factory), "US": Stock(1, 0)}
        case "cheap_sold_out" if cheapest:
            return {"CN": Stock(0, 0), "US": Stock(0, 0)}
        case "plain" | "uuid" if place == 0:
            return {"CN": Stock(0, factory), "US": Stock(at_us, 0)}
        case _:
            return {"CN": Stock(dice.choice((0, 0, 2, 40)), factory)}


def _search_price(oddity: str, cents: list[int], number: int) -> str:
    """The search's string; its index is old for some, and cuts a trailing nought for others."""
    low, high = min(cents), max(cents)
    if number % 11 == 5:
        high += 150  # the index remembers a variant that is no more
    shown = usd_text(low)
    if number % 5 == 3:
        shown = shown.removesuffix("0")
    return shown if low == high else f"{shown} -- {usd_text(high)}"


def _description(
    kind: Kind, oddity: str, images: tuple[str, ...], variants: tuple[Variant, ...], dice: random.Random
) -> str:
    praise = "<br/>".join(f"{n}. {line}" for n, line in enumerate(dice.sample(PRAISE, 3), 1))
    keys = ", ".join(" ".join(v.key) for v in variants)
    facts = f"Material: {kind.material}<br/>{kind.options}: {keys}"
    if oddity in ("uuid", "cheap_sold_out"):
        cells = "".join(f"<tr><td>{' '.join(v.key)}</td><td>{v.grams}g</td></tr>" for v in variants)
        facts = f'<table border="1"><tbody><tr><th>Model</th><th>Weight</th></tr>{cells}</tbody></table>'
    overview = BRANDED if oddity == "branded" else f"<p><b>Overview:</b></p><p>{praise}<b><br/></b></p>"
    pictures = "\n ".join(
        f'<img src="{{base}}/images/{name}"{EDITED if oddity == "scarce" else ""}/>' for name in images
    )
    return (
        f"{overview}<p><b>Product Information:</b><br/>{facts}</p>\n <br/>\n <b>Packing List: </b>\n <br/>"
        f"{kind.noun} *1&nbsp;<p><br/></p><b>Product Image:</b>\n <br/>\n {pictures}"
    )


def in_string(values: tuple[str, ...] | list[str]) -> str:
    """CJ's array inside a string."""
    return json.dumps(list(values), ensure_ascii=False, separators=(",", ":"))
