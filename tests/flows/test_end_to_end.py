"""`pipeline run`: sourcing, then monitoring; its last line says what came of both."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.people import Address, Person
from deployments.sandbox.world import World
from tasks.desk import desk
from tasks.lots import leases

WHERE = Address("Ada Demo", "1 Orchard Row", "Dover", "DE", "19901")


def run(keyword: str, **more: Any) -> Any:
    from flows.end_to_end import end_to_end

    flow: Any = end_to_end
    return flow(keyword, max_cost=45, max_products=1, poll_interval_s=1, return_state=True, **more)


def cycles() -> Any:
    """When the last cycle ended, if any did."""
    with desk().record.read() as session:
        return leases.last_finished(session, "processing")


def test_it_sources_publishes_and_follows_the_sale_to_its_end(world: World) -> None:
    world.people.add(Person("ada", "Ada Demo", "ada@demo.invalid", "good", WHERE))
    house: Any = world.vendors["basta"]
    house.house.plan_lot(winner="ada", hammer="above_reserve", item_number=1)
    state = run("phone stand", publish=True)
    assert (state.name, state.message) == ("Completed", "1 CJ_PAID")


def test_without_publishing_it_ends_after_sourcing_and_says_so(world: World) -> None:
    state = run("phone stand")
    assert state.name == "Completed"
    assert state.message.startswith("1 lots of 'phone stand' in sale ")
    assert state.message.endswith("not published, so there is nothing to follow")
    assert cycles() is None


def test_where_nothing_was_sourced_it_says_why_and_follows_nothing(world: World) -> None:
    state = run("a word nobody sells by", publish=True)
    assert (state.name, state.message) == ("Failed", "zero lots listed for 'a word nobody sells by'")
    assert cycles() is None


def test_a_run_that_waits_for_a_yes_says_what_for(world: World, monkeypatch: Any) -> None:
    monkeypatch.setenv("MAX_COST_USD", "40")
    state = run("phone stand", publish=True)
    assert state.name == "AwaitingApproval"
    assert "$45.00 a product is above $40.00" in state.message
    assert cycles() is None
