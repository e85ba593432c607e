"""Bidders: profiles answered from the world's people, registrations for a sale, and the policies behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployments.sandbox.basta.house import House
    from deployments.sandbox.basta.rows import Registration, Sale

Row = dict[str, Any]
#: The only thing in a policy's rule that is worked out here: that it counts addresses of this kind.
COUNTED = "SHIPPING"


@dataclass
class Member:
    """What was written into a bidder's profile, on top of what the world knows of the person."""

    user_id: str
    name: str = ""
    email: str = ""
    addresses: list[Row] = field(default_factory=list)
    phones: list[Row] = field(default_factory=list)
    replaced: bool = False  # the addresses were replaced: the person's own is no longer shown


def mailing(row: Row | None, address_id: str) -> Row:
    """An address as it is shown; none of it is null, all of it may be empty."""
    given = row or {}
    texts = ("name", "company", "phone", "line1", "line2", "city", "state", "postalCode")
    return {
        "id": given.get("id") or address_id,
        **{name: given.get(name) or "" for name in texts},
        "country": given.get("country") or "US",
        "isPrimary": bool(given.get("isPrimary", True)),
        "addressType": given.get("addressType") or COUNTED,
        "label": given.get("label"),
    }


def addresses(house: House, user_id: str) -> list[Row]:
    """All addresses of a bidder: the person's own, and those that were added."""
    member, person = house.members.get(user_id), house.world.people.get(user_id)
    found: list[Row] = []
    if person and person.address and not (member and member.replaced):
        where = person.address
        own = {
            "id": f"adr-{user_id}", "name": where.name, "phone": where.phone, "line1": where.line1,
            "line2": where.line2, "city": where.city, "state": where.state, "postalCode": where.postal_code,
            "country": where.country,
        }  # fmt: skip
        found.append(mailing(own, f"adr-{user_id}"))
    return found + [mailing(row, row["id"]) for row in (member.addresses if member else [])]


def profile(house: House, user_id: str) -> Row:
    """A bidder's profile."""
    member, person = house.members.get(user_id), house.world.people.get(user_id)
    known = addresses(house, user_id)
    first = {row["addressType"]: row for row in reversed(known)}
    blank = mailing(None, f"adr-{user_id}")
    return {
        "userId": user_id,
        "identityProviderId": user_id,
        "status": "ACTIVE",
        "emailVerified": True,
        "name": (member.name if member else "") or (person.name if person else ""),
        "email": (member.email if member else "") or (person.email if person else ""),
        "addresses": [],
        "addressesV2": known,
        "billingAddress": first.get("BILLING", first.get(COUNTED, blank)),
        "shippingAddress": first.get(COUNTED, blank),
        "phones": member.phones if member else [],
    }


def policy_results(house: House, sale: Sale, user_id: str) -> list[Row]:
    """How a bidder stands to the policies of a sale."""
    shipping = any(row["addressType"] == COUNTED and row["line1"] for row in addresses(house, user_id))
    return [
        {"code": one["code"], "description": one["description"], "passed": shipping or COUNTED not in one["rule"]}
        for one in house.policies
        if one["id"] in sale.policies
    ]


def passes(house: House, sale: Sale, user_id: str) -> bool:
    """Whether a bidder meets every policy of a sale."""
    return all(one["passed"] for one in policy_results(house, sale, user_id))


def registration(house: House, sale: Sale, user_id: str) -> Registration | None:
    """A bidder's registration for a sale."""
    for row in house.registrations.values():
        if row.sale_id == sale.id and row.user_id == user_id:
            return row
    return None


def is_admitted(house: House, sale: Sale, user_id: str) -> bool:
    """Whether a bidder may bid: where the sale demands anything, with an accepted registration alone."""
    if not (sale.policies or sale.registration_required):
        return True
    row = registration(house, sale, user_id)
    return row is not None and row.status == "ACCEPTED"
