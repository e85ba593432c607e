"""Guarding: who may run, what CJ still allows, whether the money is there, and what is stuck."""

from tasks.guarding.balance import balance_due, check_balance
from tasks.guarding.hearing import listen_for_stripe
from tasks.guarding.login import watch_login
from tasks.guarding.quota import quota_allows_sourcing, quota_due, read_quota
from tasks.guarding.running import (
    SKIPPED,
    LeaseHeld,
    Lost,
    Overtaken,
    free_claims,
    heartbeat,
    in_turn,
    only_run,
    run_name,
    tag_run,
    wait,
)
from tasks.guarding.sourced import look_for_daily_run, sourcing_watched, tell_of_empty_rotation
from tasks.guarding.trouble import look_for_trouble

__all__ = [
    "SKIPPED",
    "LeaseHeld",
    "Lost",
    "Overtaken",
    "balance_due",
    "check_balance",
    "free_claims",
    "heartbeat",
    "in_turn",
    "listen_for_stripe",
    "look_for_daily_run",
    "look_for_trouble",
    "only_run",
    "quota_allows_sourcing",
    "quota_due",
    "read_quota",
    "run_name",
    "sourcing_watched",
    "tag_run",
    "tell_of_empty_rotation",
    "wait",
    "watch_login",
]
