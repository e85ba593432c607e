"""Bidders and buyers: invented persons whom Basta and Stripe both know."""

from __future__ import annotations

from dataclasses import dataclass

#: What a person does when an invoice comes.
#:  good       card on file, the charge succeeds
#:  declined   card on file, every charge is declined; pays nothing by hand
#:  recovers   card declined at first; pays on the hosted page `pays_after` seconds after the invoice
#:  good_later card declined on the first charge, good from the second on
#:  secure     card on file needs 3-D Secure; passes it on the hosted page after `pays_after` seconds
#:  no_card    nothing on file; pays on the hosted page after `pays_after` seconds
#:  ignores    nothing on file, never pays
MANNERS = ("good", "declined", "recovers", "good_later", "secure", "no_card", "ignores")


@dataclass
class Address:
    """A postal address, as Basta's user profile has it."""

    name: str
    line1: str
    city: str
    state: str
    postal_code: str
    country: str = "US"
    line2: str = ""
    phone: str = "+15555550100"


@dataclass
class Person:
    """A bidder who may become a buyer."""

    user_id: str
    name: str
    email: str
    manner: str = "good"
    address: Address | None = None
    pays_after: float = 5.0
    purse_cents: int = 20_000  # the most this person bids for one lot


class People:
    """Everybody, by user id and by e-mail."""

    def __init__(self) -> None:
        self._by_id: dict[str, Person] = {}

    def add(self, person: Person) -> Person:
        """Let a person exist (again, with other manners, if the id is known)."""
        if person.manner not in MANNERS:
            raise ValueError(f"nobody is {person.manner!r}; people are {', '.join(MANNERS)}")
        self._by_id[person.user_id] = person
        return person

    def get(self, user_id: str) -> Person | None:
        """The person with this Basta user id."""
        return self._by_id.get(user_id)

    def by_email(self, email: str) -> Person | None:
        """The person with this address, whatever its case."""
        return next((p for p in self._by_id.values() if p.email.lower() == email.lower()), None)

    def all(self) -> list[Person]:
        """Everybody, in the order they came."""
        return list(self._by_id.values())
