"""Every setting, typed, read nowhere else.

Values come from the process environment, then `.env.local`, then `.env` in the project root: the folder of
`prefect.yaml`, or `PIPELINE_HOME`. Relative paths hang there, whatever the working directory, so that a
worker started from `/` and a person in a subfolder see the same database and the same token.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

CJ_URL = "https://developers.cjdropshipping.com/api2.0/v1"
BASTA_URL = "https://management.api.basta.app/graphql"
STRIPE_URL = "https://api.stripe.com"
RESEND_URL = "https://api.resend.com"

KEYS = ("cj_api_key", "account_id", "api_key", "stripe_secret_key", "resend_api_key")
ADDRESSES = (
    "cj_api_url",
    "basta_api_url",
    "stripe_api_url",
    "resend_api_url",
    "alert_webhook_url",
    "prefect_api_url",
    "webhook_public_url",
    "heartbeat_url",
)

#: The files of the project root; the later one wins.
FILES = (".env", ".env.local")

#: CJ's own pace on the free tier, with the margin the operator was promised.
CJ_SAFE_INTERVAL_SECONDS = 1.2

#: Only these prove that no real money moves; whatever else stands there may be a live key.
TEST_STRIPE_PREFIXES = ("sk_test", "rk_test")
LIVE_STRIPE_PREFIXES = ("sk_live", "rk_live", "sk_org_live")

Fraction = Annotated[Decimal, Field(ge=0, le=10)]
#: Seconds, minutes or hours; what is longer is a slip, and would leave the calendar.
Duration = Annotated[float, Field(ge=0, le=1_000_000)]
Days = Annotated[float, Field(ge=0, le=36_500)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]


class SettingsError(ValueError):
    """A setting is missing, malformed, or contradicts another; the message is one sentence for the operator."""


class Mode(StrEnum):
    """Which world the vendor addresses and keys belong to."""

    SANDBOX = "sandbox"
    TEST = "test"
    LIVE = "live"


def project_root() -> Path:
    """The folder of `prefect.yaml`: `PIPELINE_HOME`, the checkout this file lies in, or one above the cwd.

    Raises:
        SettingsError: when there is none.
    """
    if home := os.environ.get("PIPELINE_HOME"):
        folder = Path(home).expanduser().resolve()
        if not folder.is_dir():
            raise SettingsError(f"PIPELINE_HOME is {home}, and there is no such folder.")
        return folder
    here = Path.cwd()
    for folder in (Path(__file__).resolve().parents[1], here, *here.parents):
        if (folder / "prefect.yaml").is_file():
            return folder
    raise SettingsError("PIPELINE_HOME must name the folder that holds prefect.yaml.")


class Settings(BaseSettings):
    """All of it. Durations accept fractions, so that a rehearsal can be short."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, case_sensitive=True, populate_by_name=True, hide_input_in_errors=True
    )

    cj_api_key: SecretStr | None = Field(None, alias="CJ_API_KEY")
    cj_api_url: str = Field(CJ_URL, alias="CJ_API_URL")
    cj_min_interval_seconds: Duration = Field(CJ_SAFE_INTERVAL_SECONDS, alias="CJ_MIN_INTERVAL_SECONDS")
    cj_token_file: Path = Field(Path(".cj-token.json"), alias="CJ_TOKEN_FILE")

    account_id: str | None = Field(None, alias="ACCOUNT_ID")
    api_key: SecretStr | None = Field(None, alias="API_KEY")
    basta_api_url: str = Field(BASTA_URL, alias="BASTA_API_URL")
    basta_webhook_secret: SecretStr = Field(SecretStr(""), alias="BASTA_WEBHOOK_SECRET")

    stripe_secret_key: SecretStr | None = Field(None, alias="STRIPE_SECRET_KEY")
    stripe_api_url: str = Field(STRIPE_URL, alias="STRIPE_API_URL")
    stripe_webhook_secret: SecretStr = Field(SecretStr(""), alias="STRIPE_WEBHOOK_SECRET")

    resend_api_key: SecretStr | None = Field(None, alias="RESEND_API_KEY")
    resend_api_url: str = Field(RESEND_URL, alias="RESEND_API_URL")
    resend_from: str = Field("Placer Auctions <noreply@placerauctions.com>", alias="RESEND_FROM")

    alert_webhook_url: SecretStr | None = Field(None, alias="ALERT_WEBHOOK_URL")
    alert_webhook_kind: Literal["discord", "slack", "json"] | None = Field(None, alias="ALERT_WEBHOOK_KIND")

    database_url: SecretStr | None = Field(None, alias="DATABASE_URL")
    turso_database_url: str | None = Field(None, alias="TURSO_DATABASE_URL")
    turso_auth_token: SecretStr | None = Field(None, alias="TURSO_AUTH_TOKEN")

    prefect_api_url: str | None = Field(None, alias="PREFECT_API_URL")
    prefect_api_auth_string: SecretStr | None = Field(None, alias="PREFECT_API_AUTH_STRING")
    prefect_server_api_auth_string: SecretStr | None = Field(None, alias="PREFECT_SERVER_API_AUTH_STRING")
    webhook_public_url: str | None = Field(None, alias="WEBHOOK_PUBLIC_URL")
    heartbeat_url: SecretStr | None = Field(None, alias="HEARTBEAT_URL")

    max_products_per_run: int = Field(5, ge=1, le=50, alias="MAX_PRODUCTS_PER_RUN")
    max_cost_usd: Annotated[Decimal, Field(gt=0, le=1_000_000)] = Field(Decimal(50), alias="MAX_COST_USD")
    sourcing_runs_per_day: int = Field(2, ge=1, le=1_000_000, alias="SOURCING_RUNS_PER_DAY")

    reserve_ratio: Annotated[Decimal, Field(ge=1, le=10)] = Field(Decimal("1.30"), alias="RESERVE_RATIO")
    starting_bid_ratio: Annotated[Decimal, Field(gt=0, le=1)] = Field(Decimal("0.50"), alias="STARTING_BID_RATIO")
    price_rise_limit: Fraction = Field(Decimal("0.20"), alias="PRICE_RISE_LIMIT")
    buyer_premium_bp: int = Field(0, ge=0, le=10_000, alias="BUYER_PREMIUM_BP")
    stripe_fee_bp: int = Field(290, ge=0, le=5_000, alias="STRIPE_FEE_BP")
    stripe_fee_fixed_cents: int = Field(30, ge=0, le=10_000, alias="STRIPE_FEE_FIXED_CENTS")
    automatic_tax: bool = Field(False, alias="AUTOMATIC_TAX")

    auction_opens_after_hours: Duration = Field(1.0, alias="AUCTION_OPENS_AFTER_HOURS")
    auction_duration_hours: Annotated[Duration, Field(gt=0)] = Field(24.0, alias="AUCTION_DURATION_HOURS")
    closing_countdown_seconds: Annotated[Duration, Field(gt=0)] = Field(120.0, alias="CLOSING_COUNTDOWN_SECONDS")
    ship_to_country: str = Field("US", pattern=r"^[A-Z]{2}$", alias="SHIP_TO_COUNTRY")

    payment_retry_days: Annotated[tuple[Days, ...], NoDecode] = Field((1, 3), alias="PAYMENT_RETRY_DAYS")
    payment_reminder_days: Days = Field(3, alias="PAYMENT_REMINDER_DAYS")
    payment_deadline_days: Days = Field(7, alias="PAYMENT_DEADLINE_DAYS")
    address_deadline_days: Days = Field(14, alias="ADDRESS_DEADLINE_DAYS")
    fulfilment_retry_days: Days = Field(3, alias="FULFILMENT_RETRY_DAYS")

    daily_spend_cap_usd: Decimal | None = Field(None, ge=0, le=1_000_000_000, alias="DAILY_SPEND_CAP_USD")
    refund_batch_limit_usd: Decimal | None = Field(None, ge=0, le=1_000_000_000, alias="REFUND_BATCH_LIMIT_USD")
    approval_hours: Annotated[Duration, Field(gt=0)] = Field(24.0, alias="APPROVAL_HOURS")

    quota_warning: Count = Field(200, alias="QUOTA_WARNING")
    quota_critical: Count = Field(100, alias="QUOTA_CRITICAL")
    rate_window_days: Days = Field(30, alias="RATE_WINDOW_DAYS")
    rate_minimum_lots: Annotated[Count, Field(ge=1)] = Field(10, alias="RATE_MINIMUM_LOTS")
    failure_window_hours: Duration = Field(24, alias="FAILURE_WINDOW_HOURS")

    process_budget_seconds: Duration = Field(480, alias="PROCESS_BUDGET_SECONDS")
    source_budget_seconds: Duration = Field(120, alias="SOURCE_BUDGET_SECONDS")
    look_quiet_seconds: Duration = Field(120, alias="LOOK_QUIET_SECONDS")
    parcel_poll_seconds: Duration = Field(3600, alias="PARCEL_POLL_SECONDS")
    invoice_grace_minutes: Duration = Field(15, alias="INVOICE_GRACE_MINUTES")

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Read the environment and the two files.

        Raises:
            SettingsError: one sentence that names what is wrong, and never quotes a secret.
        """
        root = project_root()
        try:
            settings = cls(_env_file=tuple(root / name for name in FILES), **overrides)
        except ValidationError as error:
            raise SettingsError(_sentence(error)) from None
        except (OSError, UnicodeDecodeError) as error:
            why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
            raise SettingsError(f".env.local, or .env, in {root} cannot be read: {why}.") from None
        settings.check()
        return settings

    @classmethod
    def current(cls) -> Settings:
        """The same for whoever asks often: read anew where the environment or a file is not as it was.

        Raises:
            SettingsError: as `load` does.
        """
        root = project_root()
        return _as_of(root, frozenset(os.environ.items()), *(_last_change(root / name) for name in FILES))

    @field_validator("payment_retry_days", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        return [part for part in value.replace(" ", "").split(",") if part] if isinstance(value, str) else value

    @field_validator("*", mode="before")
    @classmethod
    def _blank_is_absent(cls, value: Any, info: Any) -> Any:
        """`NAME=` in an env file means "not set", as it does in a shell script."""
        if isinstance(value, str) and not value.strip():
            return cls.model_fields[info.field_name].get_default()
        return value

    @field_validator(*KEYS, mode="after")
    @classmethod
    def _printable(cls, value: Any) -> Any:
        """A key goes into a header, which takes no accent; a space came along when it was copied."""
        if value is not None and not re.fullmatch(r"[!-~]*", _bare(value)):
            raise PydanticCustomError("key", "no key has a space or an accent in it")
        return value

    @field_validator(*ADDRESSES, mode="after")
    @classmethod
    def _address(cls, value: Any) -> Any:
        if value is not None and not _is_address(_bare(value)):
            raise PydanticCustomError("address", "it must look like https://host/path")
        return value

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            SettingsError: live and loopback mixed, or a pace that CJ would not stand.
        """
        _ = self.mode
        if self.cj_min_interval_seconds < CJ_SAFE_INTERVAL_SECONDS and not on_loopback(self.cj_api_url):
            raise SettingsError(
                f"CJ_MIN_INTERVAL_SECONDS is {self.cj_min_interval_seconds:g}, but CJ allows no call sooner than "
                f"{CJ_SAFE_INTERVAL_SECONDS:g} seconds after another."
            )
        public = self.webhook_public_url
        if public is not None and not public.startswith("https://") and not on_loopback(public):
            raise SettingsError("WEBHOOK_PUBLIC_URL must begin with https://: CJ and Basta take no other.")
        if self.token_path.is_dir():
            raise SettingsError(f"CJ_TOKEN_FILE is {self.cj_token_file}, which is a folder.")
        if self.payment_reminder_days > self.payment_deadline_days:
            raise SettingsError("PAYMENT_REMINDER_DAYS must not be later than PAYMENT_DEADLINE_DAYS.")
        if self.turso_database_url:
            self._check_turso(self.turso_database_url)

    def _check_turso(self, url: str) -> None:
        if self.database_url:
            raise SettingsError("DATABASE_URL and TURSO_DATABASE_URL are both set: keep the one that holds the record.")
        _libsql_address(url)
        if not self.turso_auth_token and not on_loopback(url):
            raise SettingsError("TURSO_AUTH_TOKEN is not set, and TURSO_DATABASE_URL is not on this machine.")
        if self.turso_auth_token and not re.fullmatch(r"[!-~]+", self.turso_auth_token.get_secret_value()):
            raise SettingsError("TURSO_AUTH_TOKEN is not usable: no token has a space or an accent in it.")

    @cached_property
    def mode(self) -> Mode:
        """Sandbox, test or live, derived from addresses and keys.

        Raises:
            SettingsError: when the signs are mixed.
        """
        urls = {
            "CJ_API_URL": self.cj_api_url,
            "BASTA_API_URL": self.basta_api_url,
            "STRIPE_API_URL": self.stripe_api_url,
            "RESEND_API_URL": self.resend_api_url,
        }
        local = {name for name, url in urls.items() if on_loopback(url)}
        key = self.stripe_secret_key.get_secret_value() if self.stripe_secret_key else ""
        live_key = key.startswith(LIVE_STRIPE_PREFIXES)
        if live_key and self.stripe_api_url.rstrip("/") != STRIPE_URL:
            raise SettingsError("STRIPE_SECRET_KEY is a live key, but STRIPE_API_URL is not Stripe's own address.")
        if live_key and local:
            raise SettingsError(f"STRIPE_SECRET_KEY is a live key, but {_names(local)} is on loopback.")
        if local and len(local) < len(urls):
            raise SettingsError(
                f"{_names(local)} is on loopback and {_names(set(urls) - local)} is not: "
                "set all four vendor addresses to the sandbox, or none."
            )
        if local:
            return Mode.SANDBOX
        return Mode.TEST if key.startswith(TEST_STRIPE_PREFIXES) else Mode.LIVE

    def need(self, name: str) -> str:
        """The value of a setting that the work at hand cannot do without.

        Raises:
            SettingsError: it is not set.
        """
        field = next(key for key, info in type(self).model_fields.items() if info.alias == name)
        value = getattr(self, field)
        if value is None or value == "":
            raise SettingsError(f"{name} is not set: put it into .env.local, beside prefect.yaml.")
        return str(value.get_secret_value()) if isinstance(value, SecretStr) else str(value)

    @property
    def root(self) -> Path:
        """The project root, where relative paths hang."""
        return project_root()

    @property
    def token_path(self) -> Path:
        """Where CJ's tokens are kept."""
        return self.root / self.cj_token_file

    @property
    def record_url(self) -> str:
        """The SQLAlchemy address of our record, without Turso's token: DATABASE_URL, Turso's, or a file in the root.

        Raises:
            SettingsError: it is no such address; it is not quoted, as it may hold a password.
        """
        if self.database_url:
            url = self.database_url.get_secret_value()
            if not _is_record(url):
                raise SettingsError("DATABASE_URL must look like sqlite:///file or postgresql://user@host/name.")
            if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
                return f"sqlite:///{self.root / url.removeprefix('sqlite:///')}"
            return url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1)
        if self.turso_database_url:
            return _libsql_address(self.turso_database_url)
        return f"sqlite:///{self.root / 'pipeline.sqlite'}"

    @property
    def record_token(self) -> SecretStr | None:
        """What opens the record at Turso, kept out of its address, as addresses get logged."""
        return self.turso_auth_token if self.turso_database_url else None

    @property
    def alert_kind(self) -> str:
        """The form that the operator's channel takes, discord, slack or json: by the host alone, unless it is given."""
        if self.alert_webhook_kind:
            return self.alert_webhook_kind
        url = self.alert_webhook_url.get_secret_value() if self.alert_webhook_url else ""
        host = (urlsplit(url).hostname or "").lower()
        if host in ("discord.com", "discordapp.com") or host.endswith((".discord.com", ".discordapp.com")):
            return "discord"
        return "slack" if host in ("hooks.slack.com", "hooks.slack-gov.com") else "json"

    @property
    def max_cost_cents(self) -> int:
        """The landed cost above which a person is asked."""
        return int(self.max_cost_usd * 100)

    @property
    def daily_cap_cents(self) -> int | None:
        """What one UTC day may spend at CJ without a person; None for no cap."""
        return None if self.daily_spend_cap_usd is None else int(self.daily_spend_cap_usd * 100)

    @property
    def refund_limit_cents(self) -> int | None:
        """What one cycle may refund without a person; None for no limit."""
        return None if self.refund_batch_limit_usd is None else int(self.refund_batch_limit_usd * 100)

    @property
    def approval_lasts(self) -> timedelta:
        """How long a question waits for its answer, and how long the answer stands."""
        return timedelta(hours=self.approval_hours)

    @property
    def test_orders(self) -> bool:
        """Whether CJ orders must be CJ's own sandbox orders: real money moves nowhere but in live."""
        return self.mode is Mode.TEST


def _bare(value: Any) -> str:
    return str(value.get_secret_value()) if isinstance(value, SecretStr) else str(value)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:  # no such port, or half of an IPv6 address
        return False


def _is_record(url: str) -> bool:
    if url.startswith("sqlite:///"):
        return len(url) > len("sqlite:///")
    try:
        parts = urlsplit(url)
        return parts.scheme in ("postgres", "postgresql", "postgresql+psycopg") and len(parts.path) > 1
    except ValueError:
        return False


def on_loopback(url: str) -> bool:
    """Whether an address can only be this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _libsql_address(url: str) -> str:
    """The SQLAlchemy address for `libsql://host`, in the clear on loopback only.

    Raises:
        SettingsError: it is no such address; it is not quoted, as people put tokens into addresses.
    """
    found = re.fullmatch(r"(libsql|https|http)://([\w.-]+|\[[\da-f:]+\])(:\d{1,5})?/?", url, re.ASCII)
    local = found is not None and on_loopback(url)
    if found is None or (found[1] == "http" and not local):
        raise SettingsError("TURSO_DATABASE_URL must look like libsql://name.turso.io, without a token or a path.")
    secure = "false" if local and found[1] != "https" else "true"
    return f"sqlite+hrana://{found[2]}{found[3] or ''}?secure={secure}"


@lru_cache(maxsize=1)
def _as_of(*_: Any) -> Settings:
    return Settings.load()


def _last_change(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:  # whoever reads it says why
        return None
    return found.st_mtime_ns, found.st_size


def _names(names: set[str]) -> str:
    return " and ".join(sorted(names))


def _sentence(error: ValidationError) -> str:
    wrong = [f"{item['loc'][0]} ({item['msg'][0].lower()}{item['msg'][1:]})" for item in error.errors()]
    return f"These settings are not usable: {'; '.join(wrong)}." if len(wrong) > 1 else f"{wrong[0]} is not usable."
