"""The Prefect server's log never holds the alert channel's address, though Prefect's block puts it into its error."""

from __future__ import annotations

import logging
import tomllib
from importlib import import_module
from pathlib import Path

import httpx
import pytest

from deployments import discretion

ADDRESS = "http://127.0.0.1:9/api/webhooks/1/token-that-nobody-may-see"


def log_as_prefect_does(error: Exception) -> None:
    try:
        raise error
    except Exception:
        logging.getLogger("prefect.server.utilities.messaging.memory").exception("Failed in consume_loop")


@pytest.mark.parametrize("status", [429, 500])
def test_a_refusal_is_logged_without_the_address(status: int, capfd: pytest.CaptureFixture[str]) -> None:
    answer = httpx.Response(status, request=httpx.Request("POST", ADDRESS))
    with pytest.raises(httpx.HTTPStatusError, match="token-that-nobody-may-see") as met:
        answer.raise_for_status()  # as the block does it
    handler = logging.StreamHandler()
    logging.getLogger("prefect.server.utilities.messaging.memory").addHandler(handler)
    try:
        log_as_prefect_does(met.value)
    finally:
        logging.getLogger("prefect.server.utilities.messaging.memory").removeHandler(handler)
    told = capfd.readouterr().err
    assert f"Failed in consume_loop: HTTPStatusError HTTP {status}" in told
    assert "token-that" not in told


def test_other_errors_keep_their_traceback() -> None:
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "Failed", (), (ValueError, ValueError("why"), None))
    assert discretion.discreet(record)
    assert record.exc_info is not None


def test_prefect_loads_it_in_every_process_of_an_installation() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (module,) = project["entry-points"]["prefect.collections"].values()
    assert import_module(module) is discretion
