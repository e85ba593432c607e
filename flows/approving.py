"""One question to a person, as a typed form.

The run is suspended, not paused, as was measured on Prefect 3.8.8:

- a paused run keeps its process waiting for as long as a person thinks; a suspended one ends its process, survives
  the worker, and begins again from the top when it is resumed (8 s from the form's Submit to the end);
- of four paused runs with a timeout, all four were marked Failed by the server before they noticed it themselves,
  which would ring the alarm of failed runs: so a suspended run has no timeout at Prefect, and the record's own
  decides;
- a suspended run's last heartbeat may reach the server after the news that it was suspended, and 90 s later the
  automation for dead runs marked it Crashed: so that automation leaves this flow alone;
- a run resumed without the form's values is refused by the server, and a value that its schema does not allow too;
  but `with_initial_data` drops a field's bounds, so only the description goes through it, and the record checks
  the amount again.
"""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import Field, create_model

from tasks import approving as stage
from tasks.rules.money import dollars


def form(given: stage.Question) -> type[RunInput]:
    """The form of one question: yes or no, and up to how much."""
    most = given.amount_cents / 100
    fields: dict[str, Any] = {
        "answer": (
            Literal["no", "yes"],
            Field("no", title="Answer", description="A yes lets the work begin once; a no ends it."),
        ),
        "amount_usd": (
            float,
            Field(most, gt=0, le=most, title="Amount in dollars", description=f"Up to this much, at most {most:.2f}."),
        ),
    }
    return create_model("Decision", __base__=RunInput, **fields)


def words(given: stage.Question) -> str:
    """What stands above the form, as Markdown: the question, its numbers, the reason, and until when."""
    rows = [f"| {name.replace('_', ' ')} | {_told(value)} |" for name, value in given.facts.items()]
    return "\n".join(
        [
            f"**{given.question}**",
            "",
            given.reason,
            "",
            "| | |",
            "|---|---|",
            f"| asked for | {dollars(given.amount_cents)} |",
            *rows,
            f"| a no by itself | {given.expires_at:%Y-%m-%d %H:%M} UTC |",
        ]
    )


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return dollars(round(value * 100))
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return str(value).replace("|", "/")


@flow(
    name="approving",
    description="Ask a person one question by a form: press Resume in the menu, answer yes or no, and up to how much.",
)
def approving(approval_id: int) -> Any:
    """Show one question's form, and write the answer down.

    Running it again shows the same question; once it is answered, by a form, a terminal or the clock, it ends at once.

    Args:
        approval_id: The question's id, as `pipeline approvals list` shows it.
    """
    given = stage.question(approval_id)
    if given.waits:
        decision: Any = suspend_flow_run(
            wait_for_input=form(given).with_initial_data(description=words(given)), key=f"question-{approval_id}"
        )
        given = stage.answer_form(approval_id, decision.answer == "yes", decision.amount_usd)
    follows = f"; {stage.begin_work(given)}" if given.state == "YES" else ""
    return Completed(message=f"{given.outcome}{follows}")
