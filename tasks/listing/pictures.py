"""A lot's pictures: fetched from the supplier, shown to be pictures, uploaded, and seen at Basta."""

from __future__ import annotations

import logging

import httpx
from sqlalchemy.orm import Session

from tasks.clients.basta import Item
from tasks.clients.service import ServiceRefused
from tasks.desk import Desk
from tasks.lots import effects
from tasks.lots.manners import Answer, Attempt, Manner, State
from tasks.lots.models import Lot
from tasks.lots.states import LotStatus
from tasks.retrying import Log

PICTURES = 3
LARGEST = 10 * 1024 * 1024
MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
_logger = logging.getLogger("dropship.listing")


def put_pictures(desk: Desk, lot_id: int, tell: Log | None = None) -> int:
    """Upload up to three good pictures of a lot; how many are up.

    A picture that is dead or no picture is passed over for the next one, and said so.

    Raises:
        Unsettled: Basta did not say.
    """
    say = tell or _logger
    with desk.record.read() as session:
        lot = session.get_one(Lot, lot_id)
    if lot.status is not LotStatus.LISTED or lot.basta_item_id is None:
        return lot.images_verified
    up = 0
    for number, url in enumerate(lot.image_urls, start=1):
        if up == PICTURES:
            break
        if _put(desk, lot, number, url, up + 1, say):
            up += 1
    return up


def _put(desk: Desk, lot: Lot, number: int, url: str, order: int, say: Log) -> bool:
    key = f"image:{lot.id}:{number}"
    with desk.record.read() as session:
        if effects.state_of(session, key) in (State.DONE, State.ADOPTED):
            return True
    with desk.record.write() as session:
        effects.plan(session, key, {"url": url, "order": order}, lot_id=lot.id)
    outcome = desk.settle(key, uploading(desk, lot, number))
    if not outcome.ok:
        say.warning("Image %s: not uploaded, %s (lot %s)", number, outcome.error, lot.id)
        return False
    say.info("Image %s: uploaded (lot %s)", number, lot.id)
    return True


def uploading(desk: Desk, lot: Lot, number: int) -> Manner:
    """How a lot's picture of this number is looked for and put up."""
    external_id = external_id_of(desk, lot.id, number)
    item_id, sale_id = lot.basta_item_id or "", lot.basta_sale_id or ""

    def look(_: Attempt) -> Answer | None:
        item = next((one for one in desk.basta.items(sale_id) if one.id == item_id), None)
        found = [image for image in item.images if image.external_id == external_id] if item else []
        return Answer(found[0].id, {}) if found else None

    def act(attempt: Attempt) -> Answer:
        fetched = _fetch(desk, attempt.request["url"])
        if isinstance(fetched, str):
            raise ServiceRefused("the supplier's host", "picture", fetched)
        body, content_type = fetched
        upload = desk.basta.upload_url(
            sale_id,
            item_id,
            order=attempt.request["order"],
            content_type=content_type,
            external_id=external_id,
        )
        desk.basta.put_image(upload, body, content_type)
        return Answer(upload.image_id, {})

    return Manner(look=look, act=act)


def external_id_of(desk: Desk, lot_id: int, number: int) -> str:
    """Our name for a lot's picture, which Basta keeps."""
    return desk.record.known_as(f"lot-{lot_id}-{number}")


def adopt_shown(desk: Desk, session: Session, lot: Lot, item: Item) -> int:
    """Settle the pictures that an item shows and no effect of ours knows, as of a restored record; how many."""
    shown = {image.external_id: image.id for image in item.images}
    found = 0
    for number, url in enumerate(lot.image_urls, start=1):
        picture = shown.get(external_id_of(desk, lot.id, number))
        if picture is not None:
            request = {"url": url, "order": number}
            found += effects.adopt(session, f"image:{lot.id}:{number}", Answer(picture, {}), request, lot_id=lot.id)
    return found


def _fetch(desk: Desk, url: str) -> tuple[bytes, str] | str:
    """The bytes and their type, judged by the bytes themselves; or why it is no picture."""
    try:
        answer = desk.web.get(url)
    except httpx.HTTPError as error:
        return f"it did not answer ({type(error).__name__})"
    if answer.status_code != 200:
        return f"it answered HTTP {answer.status_code}"
    body = answer.content
    kind = next((name for magic, name in MAGIC.items() if body.startswith(magic)), None)
    if kind is None:
        return "what the address serves is no picture"
    return (body, kind) if len(body) <= LARGEST else "it is too large"
