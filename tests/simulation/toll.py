"""What a run of real kills came to: who died, what the dead had in their hands, and what broke."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass, field

FLOW, WORKER, SERVER = "flow process", "worker", "server"
#: What a process ends with that died of our signal, and of nothing else.
KILLED = -signal.SIGKILL
#: What a flow's process ends with by itself: its run is over, or was refused as another holds the lease.
OVER, REFUSED = 0, 3


@dataclass
class Kill:
    """One blow of which somebody died, and what the dead had in their hands."""

    seed: int
    victim: str  # sourcing, processing, server and processing, ...
    engine: str  # inline, prefect, worker
    died: list[str]  # flow process, worker, server: those whose status says that they died of SIGKILL
    after: float  # seconds since the work was seen to begin
    claims: int  # effects in its hands: claimed, not settled
    in_flight: int  # of these: called, and no answer recorded
    transaction: bool  # one of its transactions was open


@dataclass
class Report:
    """What a run of kills came to."""

    database: str
    lots: int
    server: str = ""  # the database of the Prefect server; none without one
    kills: list[Kill] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    lives: int = 0
    cycles: int = 0
    late: int = 0  # ended before their killer came: no kills
    fell: int = 0  # ended with an error after their server or worker had been killed
    refused: int = 0  # started while the dead one's lease still ran: skipped, as it must be
    webhooks: int = 0
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)  # until a worker began a run

    def ended(self, who: str, status: int | None, *, orphaned: bool = False) -> None:
        """Judge a process that nobody killed by the status with which it ended.

        Args:
            orphaned: its Prefect server was killed while it worked: that it cannot go on is no fault of its own.
        """
        if status in (OVER, REFUSED):
            return
        if orphaned and status is not None and status > 0:
            self.fell += 1
        else:
            self.violations.append(f"{who} ended with status {status}, and nobody had killed it")

    def lines(self) -> list[str]:
        """For people."""
        busy = sum(kill.in_flight > 0 or kill.transaction for kill in self.kills)
        held = sum(kill.claims > 0 for kill in self.kills)
        by = Counter(f"{kill.victim} ({kill.engine})" for kill in self.kills)
        died = Counter(who for kill in self.kills for who in kill.died)
        share = busy / len(self.kills) if self.kills else 0
        where = f", Prefect's own database {self.server}" if self.server else ", without a Prefect server"
        lines = [
            f"{self.database}: {len(self.kills)} kills in {self.lives} lives of {self.lots} lots, "
            f"{self.cycles} cycles, {self.seconds:.0f} s{where}",
            f"struck: {', '.join(f'{number} {name}' for name, number in sorted(by.items()))}",
            f"died of SIGKILL, by their status: {died[FLOW]} flow processes, {died[WORKER]} workers, "
            f"{died[SERVER]} servers; {self.late} kills came too late and are not counted",
            f"{busy} of {len(self.kills)} ({share:.0%}) with an effect in flight or a transaction open, "
            f"{held} with a claim",
            f"{self.fell} fell with their server or worker, {self.refused} were refused while a dead one's lease ran, "
            f"{self.webhooks} webhooks taken",
        ]
        if self.waits:
            median = sorted(self.waits)[len(self.waits) // 2]
            lines.append(f"a worker's run began after {median:.0f} s (median), and {max(self.waits):.0f} s at most")
        return [*lines, *self.violations, f"{len(self.violations)} violations"]
