"""Bugs in how CJ's allowance is kept."""

from __future__ import annotations

from functools import partial

from tests.simulation.mutants.planting import Cut, Mutant
from tests.simulation.mutants.scenes import Scene
from tests.simulation.rehearsal import HOUR, Rehearsal

COUNT, ALLOWS = "tasks.lots.cj_calls:count", "tasks.lots.cj_calls:allows"
GUARD = "tasks.guarding.quota:quota_allows_sourcing"


def _few_searches(stage: Rehearsal) -> None:
    stage.cj.options.quota, stage.cj.options.quota_limits = "counts", {"/product/listV2": 90}


def _few_calls(stage: Rehearsal, calls: int) -> None:
    """From the end of the auction on, so many calls of an endpoint each hour."""

    def fewer() -> None:
        stage.cj.options.quota, stage.cj.options.quota_type, stage.cj.options.quota_limit = "counts", 5, calls

    stage.world.after(25 * HOUR, fewer, f"{calls} calls an hour")


#: What is stopped before it begins makes no lot.
NOTHING_MAY_BE = ("something was made",)
FEW_AN_HOUR = Scene("three lots, and two calls of an endpoint an hour", lots=(3,), stage=partial(_few_calls, calls=2))
MUTANTS = (
    Mutant(
        "quota-reserve-ignored",
        "sourcing begins whatever CJ still allows",
        (Cut(GUARD, "if verdict == STOP:", "if False:"),),
        Scene("few searches are left", lots=(1,), stage=_few_searches, ignore=NOTHING_MAY_BE),
    ),
    Mutant(
        "quota-guard-fails-open",
        "where CJ's quota cannot be read, nothing is known of it",
        (Cut(GUARD, "if known == STOP:", "if False:"),),
        Scene(
            "few searches are left, and CJ cannot be asked for them again",
            lots=(1,),
            stage=_few_searches,
            blows=1,
            span=4,
            aim=("before cj GET /setting/get",),
            kinds=("500_before", "timeout_before"),
            ignore=NOTHING_MAY_BE,
        ),
    ),
    Mutant(
        "call-not-counted",
        "between two readings an allowance stays what it was",
        (
            Cut(COUNT, "counted = _COUNTED\n", "counted = _ONE_MORE\n"),
            Cut(COUNT, "= _COUNTED_TOLD,", "= _COUNTED_TOLD.values(allowed=case((COUNTED, CjEndpoint.allowed))),"),
        ),
        FEW_AN_HOUR,
    ),
    Mutant(
        "unanswered-call-not-counted",
        "a call without an answer was none",
        (
            Cut(
                "tasks.clients.cj.client:Cj._send",
                "self._count(path, None)  # CJ may have counted it",
                "pass",
            ),
        ),
        Scene(
            "three lots, two calls of an endpoint an hour, and an answer that is lost",
            lots=(3,),
            stage=partial(_few_calls, calls=2),
            blows=1,
            span=2,
            aim=("before cj GET /product/variant",),
            kinds=("500_after", "timeout_after", "reset_after"),
        ),
    ),
    Mutant(
        "used-up-and-asked-again",
        "what CJ refused for its quota is asked for in every cycle",
        (Cut(ALLOWS, "since is None", "True"),),
        FEW_AN_HOUR,
    ),
)
