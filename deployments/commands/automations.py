"""The automations on the Prefect server: bring them to what is declared, and try whether they reach the operator."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.prefect_here import must_answer
from tasks.settings import Settings

app = typer.Typer(help="Alerts and triggers on the Prefect server.", no_args_is_help=True)


@app.command()
def apply() -> int:
    """Make, mend and remove automations, so that the server has what is declared, once each. Twice changes nothing."""
    from deployments import automations

    settings = Settings.load()
    must_answer(settings.need("PREFECT_API_URL"))
    say(settings, automations.apply(settings))
    return 0


@app.command("test")
def send_by_hand(
    name: Annotated[
        str | None, typer.Argument(help="One alert; without a name, every one.", show_default=False)
    ] = None,
) -> int:
    """Send alerts by hand, and tell of each whether the channel took it."""
    from deployments.automations import trying
    from tasks.rules.alerts import NAMED

    settings = Settings.load()
    settings.need("PREFECT_API_URL")
    settings.need("ALERT_WEBHOOK_URL")
    if name is not None and name not in NAMED:
        raise typer.BadParameter(f"there is no alert {name!r}: {', '.join(sorted(NAMED))}.")
    must_answer(settings.need("PREFECT_API_URL"))
    outcomes = trying.send_by_hand(settings, [name] if name else sorted(NAMED))
    for alert, why_not in outcomes.items():
        note = " (its trigger, 30 minutes without a finished run, cannot be tried)" if alert == "silence" else ""
        typer.echo(f"{alert}: {'taken' + note if why_not is None else why_not}")
    return 1 if any(why_not is not None for why_not in outcomes.values()) else 0


def say(settings: Settings, applied: object) -> None:
    """What there is now, in words."""
    from deployments.automations import Applied

    assert isinstance(applied, Applied)
    if settings.alert_webhook_url is None:
        typer.echo("No ALERT_WEBHOOK_URL: alerts go to the console only.")
    typer.echo(f"Automations: {', '.join(applied.names)}.")
    if applied.removed:
        typer.echo(f"Removed, as nothing declares them: {', '.join(applied.removed)}.")
    if applied.off:
        typer.echo(
            f"Switched off in Prefect, and left so: {', '.join(applied.off)}. Runs post these alerts themselves; "
            "what only the server sees (silence, failed-run, database) is not told."
        )
