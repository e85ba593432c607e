"""Settings: one sentence for whatever is wrong, and no secret in it."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tasks.settings import Mode, Settings, SettingsError

LOCAL = {
    "CJ_API_URL": "http://127.0.0.1:9/cj",
    "BASTA_API_URL": "http://127.0.0.1:9/basta",
    "STRIPE_API_URL": "http://localhost:9/stripe",
    "RESEND_API_URL": "http://127.0.0.1:9/resend",
}
TURSO = {"TURSO_DATABASE_URL": "libsql://lots-me.turso.io", "TURSO_AUTH_TOKEN": "hush.hush-hush"}


@pytest.fixture(autouse=True)
def own_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    return tmp_path


def test_four_loopback_addresses_are_the_sandbox_whatever_the_keys() -> None:
    assert Settings.load(**LOCAL, STRIPE_SECRET_KEY="anything").mode is Mode.SANDBOX


def test_a_stripe_test_key_makes_test_mode_and_test_orders() -> None:
    settings = Settings.load(STRIPE_SECRET_KEY="sk_test_x")
    assert settings.mode is Mode.TEST
    assert settings.test_orders


def test_a_live_key_at_the_real_addresses_is_live() -> None:
    assert Settings.load(STRIPE_SECRET_KEY="sk_live" + "_x").mode is Mode.LIVE


@pytest.mark.parametrize(
    ("given", "names"),
    [
        pytest.param({"CJ_API_URL": LOCAL["CJ_API_URL"]}, "CJ_API_URL", id="one of four on loopback"),
        pytest.param({**LOCAL, "STRIPE_SECRET_KEY": "sk_live" + "_x"}, "live key", id="live key on loopback"),
        pytest.param(
            {"STRIPE_SECRET_KEY": "sk_live" + "_x", "CJ_API_URL": LOCAL["CJ_API_URL"]},
            "live key",
            id="live key, one URL of ours",
        ),
        pytest.param({"CJ_MIN_INTERVAL_SECONDS": "0.3"}, "CJ_MIN_INTERVAL_SECONDS", id="too fast for CJ"),
        pytest.param({"RESERVE_RATIO": "abc"}, "RESERVE_RATIO", id="not a number"),
        pytest.param({"MAX_COST_USD": "NaN"}, "MAX_COST_USD", id="nan"),
        pytest.param({"APPROVAL_HOURS": "inf"}, "APPROVAL_HOURS", id="for ever"),
        pytest.param({"RATE_WINDOW_DAYS": "1e12"}, "RATE_WINDOW_DAYS", id="before the calendar"),
        pytest.param({"AUCTION_DURATION_HOURS": "1e12"}, "AUCTION_DURATION_HOURS", id="after the calendar"),
        pytest.param({"CJ_API_URL": "http://[::1"}, "CJ_API_URL", id="half of an address"),
        pytest.param({"HEARTBEAT_URL": "foo"}, "HEARTBEAT_URL", id="no address"),
        pytest.param({"PREFECT_API_URL": "http://a:99999/api"}, "PREFECT_API_URL", id="an address without such a port"),
        pytest.param({"API_KEY": "two words"}, "API_KEY", id="a key with a space"),
        pytest.param({"STRIPE_SECRET_KEY": "sk_test_é"}, "STRIPE_SECRET_KEY", id="a key with an accent"),
        pytest.param({"CJ_TOKEN_FILE": "/"}, "CJ_TOKEN_FILE", id="a folder for a file"),
        pytest.param({"PAYMENT_RETRY_DAYS": "1,x"}, "PAYMENT_RETRY_DAYS", id="not days"),
        pytest.param({"SHIP_TO_COUNTRY": "usa"}, "SHIP_TO_COUNTRY", id="not a country"),
        pytest.param({"PAYMENT_REMINDER_DAYS": "9"}, "PAYMENT_REMINDER_DAYS", id="reminder after the deadline"),
        pytest.param({**TURSO, "DATABASE_URL": "sqlite:///x"}, "DATABASE_URL and TURSO_DATABASE_URL", id="two records"),
        pytest.param({"TURSO_DATABASE_URL": "libsql://a.turso.io"}, "TURSO_AUTH_TOKEN", id="Turso without its token"),
        pytest.param({**TURSO, "TURSO_AUTH_TOKEN": "two words"}, "TURSO_AUTH_TOKEN", id="no token"),
        pytest.param({**TURSO, "TURSO_DATABASE_URL": "http://a.turso.io"}, "TURSO_DATABASE_URL", id="in the clear"),
        pytest.param({**TURSO, "TURSO_DATABASE_URL": "a.turso.io"}, "TURSO_DATABASE_URL", id="no scheme"),
        pytest.param({**TURSO, "TURSO_DATABASE_URL": "libsql://a:b"}, "TURSO_DATABASE_URL", id="no port"),
    ],
)
def test_what_is_wrong_is_one_sentence_that_names_it(given: dict[str, str], names: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(**given)
    sentence = str(caught.value)
    assert names in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_settings_file_that_is_no_text_is_named(own_root: Path) -> None:
    (own_root / ".env.local").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="UTF-8"):
        Settings.load()


def test_a_home_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_HOME", "/nowhere/at/all")
    with pytest.raises(SettingsError, match="no such folder"):
        Settings.load()


@pytest.mark.parametrize("database", ["hush", "postgresql://u:hush@[::1", "mysql://u:hush@host/name", "sqlite:///"])
def test_an_address_of_no_record_is_refused_and_not_quoted(database: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL must look like") as caught:
        _ = Settings.load(DATABASE_URL=database).record_url
    assert "hush" not in str(caught.value)


def test_a_key_that_does_not_say_test_is_taken_for_live() -> None:
    assert Settings.load(STRIPE_SECRET_KEY="sk_org_live" + "_x").mode is Mode.LIVE
    assert Settings.load(STRIPE_SECRET_KEY="unknown").mode is Mode.LIVE


def test_no_secret_shows_in_any_repr() -> None:
    secrets = {"CJ_API_KEY": "hush-1", "API_KEY": "hush-2", "STRIPE_SECRET_KEY": "hush-3", "DATABASE_URL": "hush-4"}
    secrets["TURSO_AUTH_TOKEN"] = "hush-7"
    settings = Settings.load(**LOCAL, **secrets, ALERT_WEBHOOK_URL="https://hush-5", RESEND_API_KEY="hush-6")
    assert "hush" not in repr(settings) + str(settings)


def test_the_local_file_wins_over_the_shared_one_and_the_environment_over_both(
    own_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_root / ".env").write_text("QUOTA_WARNING=1\nQUOTA_CRITICAL=1\nRATE_MINIMUM_LOTS=1\n")
    (own_root / ".env.local").write_text("QUOTA_CRITICAL=2\nRATE_MINIMUM_LOTS=2\n")
    monkeypatch.setenv("RATE_MINIMUM_LOTS", "3")
    settings = Settings.load()
    assert (settings.quota_warning, settings.quota_critical, settings.rate_minimum_lots) == (1, 2, 3)


def test_who_asks_again_is_given_the_same_until_the_environment_or_a_file_changes(
    own_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Settings.current()
    assert Settings.current() is first
    (own_root / ".env.local").write_text("QUOTA_WARNING=7\n")
    assert Settings.current().quota_warning == 7
    (own_root / ".env.local").write_text("QUOTA_WARNING=\n")
    assert Settings.current().quota_warning == 200
    monkeypatch.setenv("QUOTA_WARNING", "8")
    assert Settings.current().quota_warning == 8
    monkeypatch.setenv("QUOTA_WARNING", "none")
    with pytest.raises(SettingsError):
        Settings.current()
    monkeypatch.setenv("QUOTA_WARNING", "8")
    assert Settings.current().quota_warning == 8


def test_an_empty_value_means_not_set(own_root: Path) -> None:
    (own_root / ".env").write_text("QUOTA_WARNING=\nRESEND_API_KEY=\n")
    settings = Settings.load()
    assert settings.quota_warning == 200
    assert settings.resend_api_key is None


def test_relative_paths_hang_in_the_root_whatever_the_working_directory(
    own_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    settings = Settings.load(DATABASE_URL="sqlite:///record.sqlite")
    assert settings.token_path == own_root / ".cj-token.json"
    assert settings.record_url == f"sqlite:///{own_root / 'record.sqlite'}"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("libsql://lots-me.turso.io", "sqlite+hrana://lots-me.turso.io?secure=true"),
        ("https://lots-me.turso.io:8443/", "sqlite+hrana://lots-me.turso.io:8443?secure=true"),
        ("libsql://127.0.0.1:8080", "sqlite+hrana://127.0.0.1:8080?secure=false"),
        ("http://[::1]:8080", "sqlite+hrana://[::1]:8080?secure=false"),
        ("https://localhost:8080", "sqlite+hrana://localhost:8080?secure=true"),
    ],
)
def test_the_record_may_be_at_turso_in_the_clear_on_loopback_only(given: str, address: str) -> None:
    settings = Settings.load(**{**TURSO, "TURSO_DATABASE_URL": given})
    assert settings.record_url == address
    assert settings.record_token is not None


def test_a_libsql_server_on_this_machine_may_be_open() -> None:
    assert Settings.load(TURSO_DATABASE_URL="http://127.0.0.1:8080").record_token is None


def test_a_token_in_the_address_is_refused_and_not_quoted() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(**{**TURSO, "TURSO_DATABASE_URL": "libsql://a.turso.io?authToken=hush"})
    assert "hush" not in str(caught.value)


def test_what_is_needed_and_missing_is_named() -> None:
    with pytest.raises(SettingsError, match="CJ_API_KEY is not set"):
        Settings.load().need("CJ_API_KEY")


def test_the_example_file_lists_every_setting() -> None:
    example = (Path(__file__).parents[1] / ".env.example").read_text()
    listed = {line.lstrip("# ").split("=")[0] for line in example.splitlines() if "=" in line}
    assert {str(field.alias) for field in Settings.model_fields.values()} <= listed


def test_the_defaults_are_the_operators() -> None:
    """What he was promised; where he sets nothing, this holds."""
    settings = Settings.load()
    assert settings.resend_from == "Placer Auctions <noreply@placerauctions.com>"
    assert settings.cj_token_file.name == ".cj-token.json"
    assert (settings.cj_min_interval_seconds, settings.quota_warning, settings.quota_critical) == (1.2, 200, 100)
    assert (settings.max_products_per_run, settings.max_cost_cents, settings.sourcing_runs_per_day) == (5, 5_000, 2)
    assert (settings.reserve_ratio, settings.price_rise_limit) == (Decimal("1.30"), Decimal("0.20"))
    assert (settings.payment_retry_days, settings.payment_deadline_days) == ((1, 3), 7)
    assert (settings.alert_webhook_url, settings.resend_api_key, settings.daily_spend_cap_usd) == (None, None, None)


def test_the_example_file_gives_every_default() -> None:
    example = (Path(__file__).parents[1] / ".env.example").read_text()
    shown = dict(line.lstrip("# ").split("=", 1) for line in example.splitlines() if re.match(r"(# )?[A-Z_]+=", line))
    given = {name: value.strip('"') for name, value in shown.items() if value and name != "POSTGRES_PASSWORD"}
    assert Settings.load(**given) == Settings.load()
