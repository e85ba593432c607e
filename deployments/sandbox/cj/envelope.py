"""CJ's envelope, and how it drifts from one endpoint to the next."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.wire import Reply

#: What these endpoints leave out of an otherwise whole envelope.
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "/product/stock/getInventoryByPid": ("result",),
    "/shopping/order/addCart": ("result",),
    "/shopping/order/addCartConfirm": ("result",),
    "/shopping/order/createOrderV2": ("success",),
    "/shopping/order/saveGenerateParentOrder": ("code",),
    "/logistic/trackInfo": ("success", "requestId"),
    "/logistic/freightCalculate": ("pointsInfo",),
}

PARAM_ERROR = 1600300
EMPTY_PARAM = 16900403
RATE_EXCEEDED = 1600200
POINTS_EXHAUSTED = 16900500


class Refusal(Exception):
    """CJ says no. Most refusals travel with HTTP 200.

    `points` is false where the answer shows no counters.
    """

    def __init__(self, code: int, message: str, status: int = 200, *, points: bool = True) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message, self.status, self.points = code, message, status, points


def usd(cents: int) -> float:
    """Dollars as a JSON number: on the wire alone, never to reckon with."""
    return cents / 100


def usd_text(cents: int) -> str:
    """Dollars as CJ writes them inside strings: "8.70"."""
    return f"{cents // 100}.{cents % 100:02d}"


def success(path: str, data: Any, request_id: str, points: dict[str, int] | None, *, drift: bool) -> Reply:
    """A good answer; with drift, in the shape that this endpoint is known for."""
    body: dict[str, Any] = {
        "code": 200,
        "result": True,
        "message": "Success",
        "data": data,
        "requestId": request_id,
        "success": True,
    }
    if points is not None:
        body["pointsInfo"] = points
    if drift:
        for name in LEFT_OUT.get(path, ()):
            body.pop(name, None)
        if path == "/product/stock/getInventoryByPid":
            body["message"] = ""
    return Reply.of(body)


def refused(refusal: Refusal, request_id: str, points: dict[str, int] | None) -> Reply:
    """A no: `data` is null, and the counters are null on a breach of the pace."""
    body: dict[str, Any] = {
        "code": refusal.code,
        "result": False,
        "message": refusal.message,
        "data": None,
        "requestId": request_id,
        "success": False,
    }
    if not refusal.points:
        body["pointsInfo"] = None
    elif points is not None:
        body["pointsInfo"] = points
    return Reply.of(body, refusal.status)


def crashed(path: str) -> Reply:
    """What comes when CJ's gateway falls over: no envelope at all."""
    return Reply.of({"status": 500, "error": "Internal Server Error", "path": path}, 500)
