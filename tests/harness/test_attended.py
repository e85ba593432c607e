"""The attended life: the receiver, and the flows an operator knows, die at their commits, and nothing happens twice."""

from __future__ import annotations

import json
from typing import Any

from tests.simulation import crash
from tests.simulation.attended import Attended
from tests.simulation.courier import SILENCE
from tests.simulation.forking import Explorer, Job
from tests.simulation.knife import AFTER, COMMIT, CRASH, Point, Strike

HEARD = f"{AFTER}{COMMIT} of the receiver"
#: Who dies, once each, and after which of its commits: one of its own work.
DEATHS = {
    HEARD: 12,
    "approving": 2,
    "monitoring": 20,
    "reconciling": 60,
    "once sourcing/manual is begun": 1,
}


class Short(Attended):
    """One lot, which is delivered; the last of them that was made is remembered."""

    winners = ("ada",)
    last: Short

    def __init__(self, strike: Strike | None = None) -> None:
        super().__init__(strike)
        Short.last = self


def test_the_receiver_and_every_flow_of_the_operators_die_alone_and_a_fresh_process_does_the_rest() -> None:
    seen: dict[str, int] = {}

    def jobs(point: Point) -> list[Job]:
        who = point.label if point.label in DEATHS else Short.last.doing
        if who not in DEATHS or (who == Short.last.doing and point.label != f"{AFTER}{COMMIT}"):
            return []
        seen[who] = seen.get(who, 0) + 1
        return [Job(f"{who} at {point.number}", CRASH)] if seen[who] == DEATHS[who] else []

    found = list(Explorer(Short, jobs).results())
    assert sorted(one["name"].rpartition(" at ")[0] for one in found) == sorted(DEATHS)
    assert [(one["name"], one["violations"]) for one in found if one["violations"]] == []
    assert all(one["lots"] == {"DELIVERED": 1} for one in found)
    points = {name: int(at) for name, _, at in (one["name"].rpartition(" at ") for one in found)}

    # A whole run that is struck there ends as the fork did, byte for byte.
    whole = crash.run_crash(points[HEARD], Short)
    assert whole.digest == next(one["digest"] for one in found if one["name"].startswith(HEARD))

    courier: Any = Short.last.stage.courier
    assert courier.process.deaths == 1
    (missed,) = [place for place, answer in enumerate(courier.answers) if answer[2] == SILENCE]
    vendor, label, _ = courier.answers[missed]
    assert (vendor, label, 200) in courier.answers[missed + 1 :]  # it was brought again, and taken
    told = [json.loads(line.partition(" ")[2]) for line in whole.history if line.startswith("incidents ")]
    assert {one["alert"] for one in told} == {"approval"}
