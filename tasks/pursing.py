"""Looking into CJ's purse, and booking what is seen there."""

from __future__ import annotations

from tasks.desk import Desk
from tasks.lots import incidents, purse
from tasks.retrying import run_logger
from tasks.rules.money import dollars
from tasks.settings import Mode


def look_into(at: Desk) -> int:
    """Read the balance and book what changed it; the balance. Two looks at once book one change.

    Test orders move no money, so that a test account's purse says nothing of them.

    Raises:
        ServiceUnavailable: CJ did not say.
    """
    with at.record.read() as session:
        before = purse.expected(session)
    cents = at.cj.balance().amount_cents
    if at.settings.mode is Mode.TEST:
        return cents
    with at.record.write() as session:
        credited = purse.see(session, cents, before)
        for one in credited:
            incidents.over(session, f"cancelled:lot:{one.lot_id}")
    for one in credited:
        run_logger().info("lot %s: CJ gave back %s", one.lot_id, dollars(one.cents))
    return cents
