"""Basta's management API, as much of it as we use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import httpx
from pydantic import SecretStr

from tasks.clients import answers
from tasks.clients.basta import documents, models
from tasks.clients.basta.models import Fee, Item, NewItem, NewLine, NewSale, Order, Policy, Sale, Upload, User, rfc3339
from tasks.clients.service import NotLetIn, ServiceRefused, ServiceUnavailable, send

SERVICE = "Basta"
USER_ID_TYPE = "USER_ID"
CURRENCY = "USD"


class Already(ServiceRefused):
    """It was done before: a repeated line, registration or publication."""


class Missing(ServiceRefused):
    """Basta has no such thing."""


class KeyRefused(NotLetIn):
    """The key or the account is wrong."""


class Basta:
    """One account at Basta. There is no idempotency key: look by external id before and after."""

    def __init__(self, http: httpx.Client, *, url: str, account_id: str, api_key: SecretStr) -> None:
        self._http, self._url, self._account, self._key = http, url, account_id, api_key

    @cached_property
    def has_policies(self) -> bool:
        """Whether the account's schema knows registration policies: asked once."""
        fields = self._ask("Revision", documents.REVISION)["__type"]["fields"]
        return any(field["name"] == "attachSaleRegistrationPolicies" for field in fields)

    def account_fees(self) -> tuple[Fee, ...] | None:
        """The buyer's premium as configured at Basta; None where Basta keeps none for the account."""
        details = self._ask("AccountFees", documents.ACCOUNT_FEES)["account"].get("paymentDetails")
        if details is None:
            return None
        return tuple(
            Fee(
                name=row["name"],
                kind=row["type"],
                value=row["value"],
                lower_cents=row["lowerLimit"],
                upper_cents=row.get("upperLteLimit"),
            )
            for row in details["accountFees"]
        )

    def create_sale(self, new: NewSale) -> Sale:
        """Make an unpublished sale; its lots carry the dates."""
        given = {
            "externalId": new.external_id,
            "title": new.title,
            "description": new.description,
            "currency": CURRENCY,
            "closingMethod": "OVERLAPPING",
            "closingTimeCountdown": new.countdown_ms,
            "type": "ONLINE_TIMED",
            "isTestSale": new.is_test,
            "bidIncrementTable": {
                "rules": [{"lowRange": low, "highRange": high, "step": step} for low, high, step in new.increments]
            },
        }
        return models.sale(self._ask("CreateSale", documents.CREATE_SALE, input=given)["createSale"])

    def sale(self, sale_id: str) -> Sale | None:
        """A sale by Basta's id, or None."""
        return self._sale(sale_id, "ID")

    def sale_by_external_id(self, external_id: str) -> Sale | None:
        """A sale by our own id, or None."""
        return self._sale(external_id, "EXTERNAL_ID")

    def sales(self, *statuses: str) -> Iterator[Sale]:
        """Sales in these statuses, page by page."""
        given = {"statuses": list(statuses), "showTestSales": None}
        for page in self._pages("Sales", documents.SALES, ("sales",), filter=given):
            yield from (models.sale(row) for row in page)

    def publish_sale(self, sale_id: str) -> None:
        """Show it to bidders; a sale that is published already is as wished."""
        try:
            self._ask("PublishSale", documents.PUBLISH_SALE, input={"saleId": sale_id})
        except Already:
            return

    def create_item(self, sale_id: str, new: NewItem) -> Item:
        """Put a lot into a sale."""
        given = {"saleId": sale_id, "externalId": new.external_id, "ItemNumber": new.item_number, **self._terms(new)}
        return models.item(self._ask("CreateItem", documents.CREATE_ITEM, input=given)["createItemForSale"])

    def update_item(self, sale_id: str, item_id: str, new: NewItem) -> Item:
        """Set a lot anew, with all its values: those left out are not kept."""
        given = {"saleId": sale_id, "itemId": item_id, "externalId": new.external_id, **self._terms(new)}
        return models.item(self._ask("UpdateItem", documents.UPDATE_ITEM, input=given)["updateItemForSale"])

    def remove_item(self, sale_id: str, item_id: str) -> None:
        """Take a lot out of a sale; one that is gone is as wished."""
        try:
            self._ask("RemoveItem", documents.REMOVE_ITEM, input={"saleId": sale_id, "itemId": item_id})
        except Missing:
            return

    def items(self, sale_id: str) -> tuple[Item, ...]:
        """All lots of a sale, hidden ones included."""
        pages = self._pages("Items", documents.ITEMS, ("sale", "items"), sale=sale_id)
        return tuple(models.item(row) for page in pages for row in page)

    def upload_url(self, sale_id: str, item_id: str, *, order: int, content_type: str, external_id: str) -> Upload:
        """Ask where to put a picture."""
        given = {
            "imageTypes": ["SALE_ITEM"],
            "contentType": content_type,
            "order": order,
            "saleId": sale_id,
            "itemId": item_id,
            "externalId": external_id,
        }
        row = self._ask("UploadUrl", documents.UPLOAD_URL, input=given)["createUploadUrl"]
        headers = {one["key"]: one["value"] for one in row.get("headers") or ()}
        return Upload(image_id=row["imageId"], upload_url=row["uploadUrl"], image_url=row["imageUrl"], headers=headers)

    def put_image(self, upload: Upload, body: bytes, content_type: str) -> None:
        """Put a picture there. It is object storage: no key of ours goes along, nor the Host header it names."""
        headers = {key: value for key, value in upload.headers.items() if key.lower() != "host"}
        headers["Content-Type"] = content_type
        answer = send(
            self._http, "PUT", upload.upload_url, service=SERVICE, operation="upload", content=body, headers=headers
        )
        if answer.status_code >= 300:
            raise ServiceRefused(SERVICE, "upload", "the storage refused the picture", status=answer.status_code)

    def policies(self) -> tuple[Policy, ...]:
        """All registration policies of the account."""
        pages = self._pages("Policies", documents.POLICIES, ("saleRegistrationPolicies",))
        return tuple(Policy(**row) for page in pages for row in page)

    def create_policy(self, code: str, description: str, rule: str) -> Policy:
        """Make a registration policy. There is no way to delete one."""
        given = {"code": code, "description": description, "rule": rule, "isDefault": False}
        row = self._ask("CreatePolicy", documents.CREATE_POLICY, input=given)
        return Policy(**row["createSaleRegistrationPolicy"])

    def attach_policies(self, sale_id: str, policy_ids: Sequence[str]) -> None:
        """Demand these of whoever registers for a sale."""
        given = {"saleId": sale_id, "policyIds": list(policy_ids)}
        self._ask("AttachPolicies", documents.ATTACH_POLICIES, input=given)

    def sale_policies(self, sale_id: str) -> tuple[Policy, ...]:
        """What a sale demands."""
        row = self._ask("SalePolicies", documents.SALE_POLICIES, sale=sale_id)["sale"]["registrationPolicies"]
        return tuple(Policy(**edge["node"]) for edge in row["edges"])

    def create_order(self, sale_id: str, user_id: str, title: str, lines: Sequence[NewLine]) -> Order:
        """Make a winner's order, a line a lot."""
        given = {
            "saleId": sale_id,
            "userId": user_id,
            "title": title,
            "currency": CURRENCY,
            "orderLines": [
                {
                    "itemId": line.item_id,
                    "amount": line.amount_cents,
                    "description": line.description,
                    "fees": [{"description": name, "amount": cents} for name, cents in line.fees],
                }
                for line in lines
            ],
        }
        return models.order(self._ask("CreateOrder", documents.CREATE_ORDER, input=given)["createOrder"])

    def user_orders(self, user_id: str) -> tuple[Order, ...]:
        """All orders of a bidder."""
        pages = self._pages("UserOrders", documents.USER_ORDERS, ("userOrders",), user=user_id)
        return tuple(models.order(row) for page in pages for row in page)

    def publish_order(self, order_id: str) -> None:
        """Open an order."""
        self._ask("PublishOrder", documents.PUBLISH_ORDER, input={"orderId": order_id})

    def cancel_order(self, order_id: str) -> None:
        """Cancel an order."""
        self._ask("CancelOrder", documents.CANCEL_ORDER, input={"orderId": order_id})

    def record_invoice(self, order_id: str, external_id: str, url: str, due: datetime) -> str:
        """Tell Basta of the invoice made elsewhere; Basta's own id for it."""
        given = {"orderId": order_id, "externalID": external_id, "url": url, "dueDate": rfc3339(due)}
        return str(self._ask("RecordInvoice", documents.RECORD_INVOICE, input=given)["createInvoice"]["invoiceId"])

    def record_payment(self, order_id: str) -> str:
        """Tell Basta that it is paid; no money moves. Basta's own id for it."""
        data = self._ask("RecordPayment", documents.RECORD_PAYMENT, input={"orderId": order_id})
        return str(data["createPayment"]["paymentId"])

    def user(self, user_id: str) -> User:
        """A bidder's profile, read by an update that changes nothing."""
        given = {"userId": user_id, "idType": USER_ID_TYPE}
        return models.user(self._ask("User", documents.USER, input=given)["updateUser"])

    def hooks(self) -> tuple[tuple[str, str], ...]:
        """Action and address of every webhook subscription."""
        rows = self._ask("Hooks", documents.HOOKS)["actionHookSubscriptions"]
        return tuple((row["action"], row["url"]) for row in rows)

    def subscribe(self, action: str, url: str) -> None:
        """Have an action told to an address; look at `hooks` first, as repeats may pile up."""
        self._ask("AddHook", documents.ADD_HOOK, input={"action": action, "url": url, "headers": []})

    def failed_hooks(self, since: datetime) -> tuple[str, ...]:
        """Addresses of the latest webhooks that Basta gave up, by those it still logs, since then."""
        rows = self._ask("FailedHooks", documents.FAILED_HOOKS)["actionHookLogs"]["edges"]
        told = [(row["node"]["url"], models.moment(row["node"]["createdAt"])) for row in rows]
        return tuple(url for url, at in told if at is not None and at >= since)

    def _terms(self, new: NewItem) -> dict[str, Any]:
        return {
            "title": new.title,
            "description": new.description,
            "startingBid": new.starting_bid_cents,
            "reserve": new.reserve_cents,
            "openDate": rfc3339(new.opens_at),
            "closingDate": rfc3339(new.closes_at),
            "allowedBidTypes": ["MAX", "NORMAL"],
        }

    def _sale(self, given: str, kind: str) -> Sale | None:
        try:
            row = self._ask("ReadSale", documents.READ_SALE, id=given, kind=kind)["sale"]
        except Missing:
            return None
        return models.sale(row) if row else None

    def _pages(self, operation: str, document: str, way: tuple[str, ...], **variables: Any) -> Iterator[list[Any]]:
        after: str | None = None
        while True:
            data = self._ask(operation, document, after=after, **variables)
            for step in way:
                data = data[step]
            yield [edge["node"] for edge in data["edges"]]
            following = data["pageInfo"]["endCursor"]
            if not data["pageInfo"]["hasNextPage"] or not data["edges"] or following == after:
                return
            after = following

    def _ask(self, operation: str, document: str, **variables: Any) -> Any:
        """Send one document; errors come under HTTP 200 as well."""
        answer = send(
            self._http,
            "POST",
            self._url,
            service=SERVICE,
            operation=operation,
            json={"query": document, "variables": {"a": self._account, **variables}},
            headers={"x-account-id": self._account, "x-api-key": self._key.get_secret_value()},
        )
        if answer.status_code == 429:
            raise ServiceUnavailable.not_executed(SERVICE, operation, "too many requests", status=429)
        if answer.status_code in (401, 403):
            raise KeyRefused(SERVICE, operation, "the key or the account is wrong", status=answer.status_code)
        try:
            body = answers.loads(answer.content)
        except ValueError as error:
            raise ServiceUnavailable(SERVICE, operation, "no JSON came", status=answer.status_code) from error
        if not isinstance(body, dict):
            raise ServiceUnavailable(SERVICE, operation, "no answer of GraphQL's shape", status=answer.status_code)
        if errors := body.get("errors"):
            raise _failure(operation, answer.status_code, errors)
        if answer.status_code >= 400 or not body.get("data"):
            raise ServiceUnavailable(SERVICE, operation, "an answer without data", status=answer.status_code)
        return body["data"]


def _failure(operation: str, status: int, errors: list[Any]) -> ServiceRefused | ServiceUnavailable:
    """What an error means: Basta tells it in the message alone."""
    message = str((errors[0] or {}).get("message") or "an error without a message")
    low = message.lower()
    code = (errors[0].get("extensions") or {}).get("code")
    facts: dict[str, Any] = {"status": status, "code": str(code) if code else None}
    if "already" in low or "duplicate" in low:
        return Already(SERVICE, operation, message, **facts)
    if "not found" in low or "not_found" in low or "no such" in low:
        return Missing(SERVICE, operation, message, **facts)
    if "unauthenticated" in low or "permission" in low or "unauthorized" in low or "api key" in low:
        return KeyRefused(SERVICE, operation, message, **facts)
    if "internal" in low or "unavailable" in low or "timeout" in low:
        return ServiceUnavailable(SERVICE, operation, message, **facts)
    return ServiceRefused(SERVICE, operation, message, **facts)
