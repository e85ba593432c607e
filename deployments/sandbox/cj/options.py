"""How this CJ behaves: every switch, changeable while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

#: Days, in sandbox seconds.
DAY = 86_400.0

#: What a payment call may do instead of the truth.
SUCCESS_WITHOUT_EFFECT = "success without effect"
ERROR_WITH_EFFECT = "error with effect"

#: What a creation call may do instead of the truth.
BUSY_WITHOUT_ORDER = "busy without order"
BUSY_WITH_ORDER = "busy with order"
EMPTY_WITH_ORDER = "empty with order"


@dataclass
class CjOptions:
    """The account, its limits, and the world's mood. Money is in cents, times in the unit of the name.

    Where accounts of the real CJ disagree, the field is the switch and the default is the commoner report.
    """

    # the account
    api_key: str = ""  # empty: any key will do
    open_id: int = 900_100_200
    balance_cents: int = 100_000
    balance_blocked: bool = False

    # tokens
    access_token_days: int = 15  # live accounts report 180
    refresh_token_days: int = 180
    token_cache_seconds: float = DAY
    auth_limit: bool = False  # one login per 300 s, five refreshes per minute
    token_error_status: int = 200  # or 401

    # pace, judged on the real clock
    min_interval_seconds: float = 1.0  # 0 switches the gate off
    throttle_status: int = 429  # or 200

    # quota
    quota: str = "points"  # points, counts, silent (neither told nor enforced)
    points_total: int = 50_000
    points_exhausted_status: int = 200  # or 429, with `code` 429
    quota_limit: int = 1_000
    quota_limits: dict[str, int] = field(default_factory=dict)  # by path, "/product/query"
    quota_type: int = 0  # 0 total, 1 year, 2 quarter, 3 month, 4 day, 5 hour

    # goods
    catalogue_seed: int = 1
    price_overrides: dict[str, int] = field(default_factory=dict)  # vid -> cents
    stock_overrides: dict[str, dict[str, int]] = field(default_factory=dict)  # vid -> country -> units
    delisted_vids: set[str] = field(default_factory=set)
    delisted_pids: set[str] = field(default_factory=set)
    inventories_null: bool = False  # `enable_inventory` gives null, as on accounts that nobody recorded
    freight_factor: dict[str, Decimal] = field(default_factory=dict)  # destination country -> factor

    # orders
    create_only_state: str = "CREATED"  # payType 3; UNPAID at some
    page_payment_state: str = "UNPAID"  # payType 1; CREATED once
    short_balance_refuses: bool = False  # payType 2: refuse with 1604000 rather than leave the order unpaid
    numbers_stay_taken: bool = False  # an order number outlives the deletion or cancellation of its order
    answer_with_code: bool = False  # `orderId` of a creation is the SD code
    order_surcharge_cents: int = 0  # added to new orders beyond goods and the quoted freight
    create_lies: list[str] = field(default_factory=list)  # consumed one per creation
    confirm_lag_seconds: float = 0.0
    pay_lies: list[str] = field(default_factory=list)  # consumed one per payment
    sandbox_start: str = "CREATED"  # or UNPAID, PENDING
    sandbox_orders_live: bool = False  # sandbox orders move by themselves, like paid ones
    sandbox_events: bool = False  # sandbox orders are told by webhook

    # life after payment, in sandbox seconds from the payment; None: never
    handling_states: tuple[str, ...] = ("PENDING", "PROCESSING")  # ("UNSHIPPED",) is the older word
    ship_after_seconds: float | None = 2 * DAY
    deliver_after_seconds: float | None = 9 * DAY

    # telling
    drift: bool = True  # the envelope and the optional fields differ from call to call, as they do
    webhooks_on: bool = True
    webhook_url: str = ""  # used for orders and parcels when nothing is registered
    refuse_same_webhook: bool = False  # 1607003 when a topic is set to the address it has
