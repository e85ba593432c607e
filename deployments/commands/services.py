"""Commands that start something: sandbox, demo, webhooks, setup."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.commands.options import pace, whole, word
from deployments.prefect_here import must_answer

if TYPE_CHECKING:
    from tasks.desk import Desk

POOL = "pipeline"


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    for command in (setup, sandbox, demo, webhooks):
        app.command()(command)


def sandbox(
    port: Annotated[
        int, typer.Option("--port", help="0 takes a free one.", parser=whole(0, 65535), metavar="PORT")
    ] = 0,
    seed: Annotated[
        int, typer.Option("--seed", help="The same seed gives the same world.", parser=whole(0), metavar="N")
    ] = 1,
    speed: Annotated[
        float,
        typer.Option("--speed", help="Sandbox seconds per real second; 0 holds its clock.", parser=pace, metavar="N"),
    ] = 1.0,
) -> None:
    """Run CJ, Basta, Stripe, Resend, an image host and an alert sink here, and print how to point at them."""
    command = [sys.executable, "-m", "deployments.sandbox", "--port", str(port), "--seed", str(seed)]
    # In this process's place: whoever ends the one ends the other.
    os.execv(sys.executable, [*command, "--speed", str(speed)])  # noqa: S606 - our own module, our own arguments


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave server and sandbox up, and print where.")] = False,
    real_pace: Annotated[bool, typer.Option("--real-pace", help="Keep CJ's 1.2 s between calls.")] = False,
) -> int:
    """Watch products become lots, lots become paid orders, and orders become parcels or refunds. No keys needed."""
    from deployments.demo import play

    return play(keep=keep, real_pace=real_pace)


def webhooks(
    port: Annotated[
        int, typer.Option("--port", help="Where to listen.", parser=whole(1, 65535), metavar="PORT")
    ] = 8090,
    host: Annotated[
        str, typer.Option("--host", help="The address to bind to.", parser=word, metavar="HOST")
    ] = "127.0.0.1",
) -> None:
    """Receive what Stripe, Basta and CJ tell: verified, stored, answered; the next cycle works it off."""
    from deployments import listening
    from deployments.webhooks import receiver
    from tasks.desk import prepare
    from tasks.settings import Settings

    settings = Settings.load()
    app = receiver(settings, prepare(settings))
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, UnicodeError) as error:
        why = (getattr(error, "strerror", None) or "it is no name of a host").lower().partition(" (while")[0]
        raise typer.BadParameter(f"nobody can listen at {host}, port {port}: {why}.") from error
    listening.server(app, log_level="warning").run(sockets=[listener])


def setup() -> int:
    """Make everything ready: database, work pool, deployments, automations, webhooks. Twice changes nothing.

    Ends in the doctor's findings; the exit status is 1 when something of the setup itself did not work.
    """
    from deployments.commands import checking
    from tasks.desk import desk, prepare
    from tasks.settings import Settings

    settings = Settings.load()
    must_answer(settings.need("PREFECT_API_URL"))
    prepare(settings)
    typer.echo("The database is up to date.")
    for words in (("work-pool", "create", POOL, "--type", "process", "--overwrite"), ("deploy", "--all")):
        command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
        done = subprocess.run(  # noqa: S603 - our own interpreter, our own arguments
            command, cwd=settings.root, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.stderr.write(f"prefect {' '.join(words)} failed: {(done.stderr or done.stdout).strip()[-600:]}\n")
            return 1
        typer.echo(f"prefect {' '.join(words)}: done.")
    from deployments import automations
    from deployments.commands.automations import say

    say(settings, automations.apply(settings))
    registered = _register(desk())
    typer.echo(f"A worker is started by: prefect worker start --pool {POOL}\n")
    checking.look(settings)
    return 0 if registered else 1


def _register(at: Desk) -> bool:
    from deployments.registering import register

    if at.settings.webhook_public_url is None:
        typer.echo("No WEBHOOK_PUBLIC_URL: vendors tell nothing, and the polls suffice.")
        return True
    good = True
    for one in register(at):
        typer.echo(f"{one.vendor} webhooks: {one.text}" if one.ok else f"{one.vendor} webhooks FAILED: {one.text}")
        good = good and one.ok
    return good
