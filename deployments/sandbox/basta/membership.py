"""Root fields about bidders, their registrations, and the policies of sales."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphql import GraphQLError

from deployments.sandbox.basta import members, views
from deployments.sandbox.basta.fields import Fields
from deployments.sandbox.basta.members import Member
from deployments.sandbox.basta.rows import Registration

Row = dict[str, Any]


class MemberFields(Fields):
    """Root fields about people."""

    # users

    def user(self, accountId: str, userId: str, idType: str) -> Row:
        if self.house.world.people.get(userId) is None and userId not in self.house.members:
            raise GraphQLError("user not found")
        return views.user(self.house, userId)

    def users(self, accountId: str, first: int | None = 20, after: str | None = None) -> Row:
        known = [person.user_id for person in self.house.world.people.all()]
        known += [one for one in self.house.members if one not in known]
        return views.page([views.user(self.house, user_id) for user_id in known], first, after)

    def updateUser(self, accountId: str, input: Row) -> Row:
        """An unknown user comes into being; an update of nothing changes nothing."""
        member = self._member(input["userId"])
        member.name = " ".join(filter(None, (input.get("firstName"), input.get("lastName")))) or member.name
        member.email = input.get("email") or member.email
        if input.get("addresses") is not None:
            member.addresses, member.replaced = [self._with_id("adr", one) for one in input["addresses"]], True
        if input.get("phones") is not None:
            member.phones = [self._with_id("phone", one) for one in input["phones"]]
        return members.profile(self.house, member.user_id)

    def upsertUserAddress(self, accountId: str, input: Row) -> Row:
        member = self._member(input["userId"])
        row = self._upsert(member.addresses, "adr", input["address"])
        return members.mailing(row, row["id"])

    def upsertUserPhone(self, accountId: str, input: Row) -> Row:
        return self._upsert(self._member(input["userId"]).phones, "phone", input["phone"])

    def deleteUserAddress(self, accountId: str, input: Row) -> bool:
        member = self._member(input["userId"])
        kept = [row for row in member.addresses if row["id"] != input["addressId"]]
        if len(kept) == len(member.addresses):
            raise GraphQLError("address not found")
        member.addresses = kept
        return True

    def _member(self, user_id: str) -> Member:
        return self.house.members.setdefault(user_id, Member(user_id))

    def _with_id(self, prefix: str, given: Row) -> Row:
        return {**given, "id": given.get("id") or self._new_id(prefix)}

    def _upsert(self, rows: list[Row], prefix: str, given: Row) -> Row:
        """With an id it is replaced; without one there is another."""
        row = self._with_id(prefix, given)
        rows[:] = [one for one in rows if one["id"] != row["id"]] + [row]
        return row

    # registrations

    def saleRegistrations(
        self, accountId: str, first: int | None = 20, after: str | None = None, filter: Row | None = None, **_: Any
    ) -> Row:
        wanted = filter or {}
        rows = [
            row
            for row in self.house.registrations.values()
            if row.sale_id in (wanted.get("saleIds") or [row.sale_id])
            and row.user_id in (wanted.get("userIds") or [row.user_id])
            and row.status in (wanted.get("statuses") or [row.status])
            and row.type in (wanted.get("types") or [row.type])
        ]
        return self._shown(rows, first, after)

    def createSaleRegistration(self, accountId: str, input: Row) -> Row:
        sale = self._sale(input["saleId"])
        if members.registration(self.house, sale, input["userId"]):
            raise GraphQLError("user is already registered for this sale")
        kind, status = input["type"], input.get("status")
        row = self.house.register(sale, input["userId"], status, kind=kind, identifier=input.get("identifier"))
        return views.registration(self.house, row)

    def acceptSaleRegistration(self, accountId: str, input: Row) -> Row:
        row = self._registration(input["registrationId"])
        row.status, row.reason = "ACCEPTED", None
        return views.registration(self.house, row)

    def rejectSaleRegistration(self, accountId: str, input: Row) -> Row:
        row = self._registration(input["registrationId"])
        row.status, row.reason = "REJECTED", input.get("reason")
        return views.registration(self.house, row)

    def deleteSaleRegistration(self, accountId: str, input: Row) -> str:
        return self.house.registrations.pop(self._registration(input["registrationId"]).id).id

    def _registration(self, registration_id: str) -> Registration:
        if registration_id not in self.house.registrations:
            raise GraphQLError("registration not found")
        return self.house.registrations[registration_id]

    def _shown(self, rows: Iterable[Registration], first: int | None, after: str | None) -> Row:
        return views.page([views.registration(self.house, row) for row in rows], first, after)

    # policies

    def saleRegistrationPolicies(self, accountId: str, first: int = 20, after: str | None = None, **_: Any) -> Row:
        return views.page(self.house.policies, first, after)

    def createSaleRegistrationPolicy(self, accountId: str, input: Row) -> Row:
        row = {"id": self._new_id("pol"), **input}
        self.house.policies.append(row)
        return row

    def updateSaleRegistrationPolicy(self, accountId: str, input: Row) -> Row:
        row = self._policies([input["id"]])[0]
        row.update({name: value for name, value in input.items() if value is not None})
        return row

    def attachSaleRegistrationPolicies(self, accountId: str, input: Row) -> list[Row]:
        sale = self._sale(input["saleId"])
        self._policies(input["policyIds"])
        sale.policies = list(dict.fromkeys([*sale.policies, *input["policyIds"]]))
        return self._policies(sale.policies)

    def detachSaleRegistrationPolicies(self, accountId: str, input: Row) -> list[Row]:
        sale = self._sale(input["saleId"])
        sale.policies = [one for one in sale.policies if one not in input["policyIds"]]
        return self._policies(sale.policies)

    def _policies(self, ids: list[str]) -> list[Row]:
        known = {one["id"]: one for one in self.house.policies}
        if missing := [one for one in ids if one not in known]:
            raise GraphQLError(f"policy {missing[0]} not found")
        return [known[one] for one in ids]
