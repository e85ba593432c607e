"""One processing cycle: everything that can be done now for every open lot."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from prefect import flow
from prefect.states import Cancelled
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from tasks import (
    approving,
    closing,
    collecting,
    fulfilment,
    guarding,
    invoicing,
    notifying,
    refunding,
    reporting,
    tracking,
)
from tasks.cycling import Cycle

Id = Annotated[str, Field(min_length=1, max_length=200)]


def _name() -> str:
    return guarding.run_name("processing")


@flow(
    name="processing",
    flow_run_name=_name,
    task_runner=ThreadPoolTaskRunner(max_workers=8),  # type: ignore[arg-type] # Prefect annotates it too narrowly
    on_failure=[notifying.tell_of_failure],
    on_crashed=[notifying.tell_of_failure],
    description="Close, invoice, collect, refund, track, check quota and balance, fulfil, and look for stuck lots.",
)
def processing(sale_id: Id | None = None) -> Any:
    """Do all that can be done now for every open lot.

    Running it again, at once or after a kill, does nothing twice. A lot that fails is a red task; the run then
    ends PartiallyDone, and the other lots are untouched.

    Args:
        sale_id: Basta's id of one sale, to leave all others alone; none means all.
    """
    try:
        with guarding.only_run("processing"):
            return _cycle(sale_id)
    except (guarding.LeaseHeld, guarding.Overtaken) as busy:
        return Cancelled(name="Skipped", message=str(busy))


def _cycle(sale_id: str | None) -> Any:
    cycle = Cycle(puts_off=True)
    only = partial(partial, sale_id=sale_id)

    guarding.free_claims()
    cycle.stage("close", only(closing.sales_to_read), closing.close_sale)
    cycle.stage("invoice", only(invoicing.invoices_to_send), invoicing.send_invoice)
    cycle.stage("collect", only(collecting.invoices_due), collecting.collect)
    cycle.stage("refund", only(refunding.lots_to_refund), refunding.refund_lot)
    cycle.stage("track", only(tracking.parcels_due), tracking.poll_parcels)
    cycle.stage("quota", guarding.quota_due, guarding.read_quota)
    # A thousand new orders must not keep those that were begun from being confirmed and paid.
    cycle.stage("fulfil", only(fulfilment.lots_to_order), fulfilment.order_goods, share=0.5)
    cycle.stage("compare", only(fulfilment.orders_to_compare), fulfilment.compare_orders)
    cycle.stage("confirm", only(fulfilment.orders_to_confirm), fulfilment.confirm_order, share=0.7)
    cycle.stage("balance", only(guarding.balance_due), guarding.check_balance)
    cycle.stage("pay", only(fulfilment.orders_to_pay), fulfilment.pay_order, one_at_a_time=True, share=0.9)
    # What a payment answers proves nothing: the orders themselves do, read together, for which some time is left.
    cycle.stage("paid", only(tracking.payments_called), tracking.poll_parcels)

    # What arrived meanwhile is not left for the next cycle: a run that it started was cancelled while this one ran.
    cycle.stage("inbox: sales", only(closing.sales_told), closing.close_sale)
    cycle.stage("inbox: invoices", only(collecting.invoices_told), collecting.collect)
    cycle.stage("inbox: parcels", only(tracking.parcels_told), tracking.poll_parcels)
    cycle.stage("mail", notifying.mails_waiting, notifying.send_mail)
    # Nothing waits for a deletion but its own refund: one that is never answered takes the time of no other.
    cycle.stage("delete", only(fulfilment.orders_to_delete), fulfilment.delete_order)
    cycle.put_off_work()
    guarding.watch_login(cycle.met)
    guarding.look_for_trouble()
    guarding.listen_for_stripe()
    guarding.look_for_daily_run()
    approving.ask_people()
    cycle.stage("tell", notifying.messages_due, notifying.tell, bounded=False)
    reporting.show_cycle(cycle.tallies)
    guarding.heartbeat()
    return cycle.end()
