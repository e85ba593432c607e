"""Sourcing: a keyword becomes priced lots, within the quota, the day's runs and the cost that a person allows."""

from tasks.sourcing.runs import (
    AwaitingApproval,
    Refused,
    RotationEmpty,
    Run,
    begin,
    budget_seconds,
    finish,
    mark_counted,
    word_and_cap,
)
from tasks.sourcing.steps import candidates, choose, in_words, lots_of, save_lots, search

__all__ = [
    "AwaitingApproval",
    "Refused",
    "RotationEmpty",
    "Run",
    "begin",
    "budget_seconds",
    "candidates",
    "choose",
    "finish",
    "in_words",
    "lots_of",
    "mark_counted",
    "save_lots",
    "search",
    "word_and_cap",
]
