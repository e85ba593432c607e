"""`pipeline doctor`: is everything as it must be? Nothing is changed, bought, posted or counted against a quota."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from deployments import BEGAN
from deployments.doctor import basta, channel, cj, clocks, host, mail, receiver, record, server, stripes
from deployments.doctor.findings import Finding, Level, fail, worst
from deployments.doctor.ward import Ward
from tasks.settings import Settings

#: For the checks of a setup, which took its time before them.
DEADLINE_SECONDS = 3.4
#: From the first line of a program to its last check: with what Python needs before and after, five seconds are far.
PROGRAM_SECONDS = 3.9
#: What the checks have in any case, however slowly the program began: CJ may be asked thrice, 1.2 s apart.
LEAST_SECONDS = 2.8
FAMILIES: dict[str, Callable[[Ward], Iterator[Finding]]] = {
    "host": host.examine,
    "database": record.examine,
    "Stripe": stripes.examine,
    "Basta": basta.examine,
    "CJ": cj.examine,
    "Resend": mail.examine,
    "webhooks": receiver.examine,
    "Prefect": server.examine,
    "alerts": channel.examine,
}


def time_left() -> float:
    """What the program's own start left of its seconds."""
    return max(BEGAN + PROGRAM_SECONDS - time.monotonic(), LEAST_SECONDS)


def examine(settings: Settings, deadline: float = DEADLINE_SECONDS) -> list[Finding]:
    """Every check side by side; one that is not done in time is a line of its own, and nobody waits for it."""
    ward, ends = Ward(settings), time.monotonic() + deadline
    found: dict[str, list[Finding]] = {name: [] for name in FAMILIES}
    threads = {
        name: threading.Thread(target=_run, args=(name, family, ward, found[name]), daemon=True)
        for name, family in FAMILIES.items()
    }
    for thread in threads.values():
        thread.start()
    late = False
    for name, thread in threads.items():
        thread.join(max(ends - time.monotonic(), 0))
        if thread.is_alive():
            late = True
            text = f"not all was answered within {deadline:.1f} s"
            found[name] = [*found[name], fail(name, text, "pipeline doctor, again; see its log and the network")]
    lines = [line for lines in found.values() for line in lines]
    lines.append(clocks.judge(ward.skews))
    if not late:
        ward.close()
    return lines


def _run(name: str, family: Callable[[Ward], Iterator[Finding]], ward: Ward, found: list[Finding]) -> None:
    """One family; what it did not foresee is a line too, without its words, which may quote a secret."""
    try:
        for line in family(ward):
            found.append(line)
    except Exception as error:
        found.append(fail(name, f"this check itself failed ({type(error).__name__})", "report it"))


__all__ = ["Finding", "Level", "examine", "time_left", "worst"]
