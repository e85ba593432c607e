"""Prefect for a command that is typed: at the server that our settings name, or at a temporary one.

Prefect reads the environment alone; our settings come from `.env.local` too, and both must mean the same server.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import typer

from tasks.settings import Settings, SettingsError

KNOCK_SECONDS = 10.0
API_URL, API_AUTH = "PREFECT_API_URL", "PREFECT_API_AUTH_STRING"


@contextmanager
def at_our_server() -> Iterator[None]:
    """Let Prefect use the server of our settings. What is wrong in them is said by the command that needs them."""
    missing: dict[str, str] = {}
    with suppress(SettingsError):
        settings = Settings.load()
        secret = settings.prefect_api_auth_string
        found = {API_URL: settings.prefect_api_url, API_AUTH: secret.get_secret_value() if secret else None}
        missing = {name: value for name, value in found.items() if value and name not in os.environ}
    with ExitStack() as stack:
        if missing and "prefect" in sys.modules:  # it has read its environment already
            from prefect.settings import get_current_settings, temporary_settings

            known = get_current_settings().to_environment_variables()
            stack.enter_context(temporary_settings({name: v for name, v in missing.items() if name not in known}))
        os.environ.update(missing)
        try:
            yield
        finally:
            for name in missing:
                os.environ.pop(name, None)


def must_answer(url: str) -> None:
    """Knock at the Prefect server before anything is begun for it.

    Raises:
        typer.Exit: nobody answers there; it was said in one sentence.
    """
    try:
        httpx.get(f"{url.rstrip('/')}/health", timeout=KNOCK_SECONDS)
    except httpx.HTTPError:
        sys.stderr.write(f"No Prefect server answers at {url}, and nothing was begun. Type this again once it does.\n")
        raise typer.Exit(1) from None


def start_temporary_server() -> None:
    """Start the server that a run without one has, deaf to Ctrl-C.

    The terminal sends Ctrl-C to both: a server that went first would leave Prefect to knock for minutes at a closed
    door, to say how the run ended. It is ended with its run.
    """
    from prefect.server.api.server import SubprocessASGIServer

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a child begins with its parent's mask
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")  # it lives for minutes, and reports to nobody
    try:
        SubprocessASGIServer().start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


__all__ = ["at_our_server", "must_answer", "start_temporary_server"]
