"""Dockerfile and compose.yaml, as far as they can be proven without a Docker engine: what stands in them exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from deployments.cli import app
from deployments.commands.services import POOL
from tasks.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deployments/Dockerfile").read_text()
COMPOSE = (ROOT / "deployments/compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
STEPS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
    if line.strip() and not line.startswith("#")
]
#: What a person types, as the file's first lines say.
TYPED = [line.split("  #")[0].strip() for line in re.findall(r"^#   (docker .+)$", COMPOSE, re.MULTILINE)]
#: What the image of PostgreSQL, its client library and Python read.
OTHERS = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "PGPASSWORD", "PYTHONUNBUFFERED"}
#: A service that listens within the network of compose says so: from outside it is reached by `ports` alone.
EVERYWHERE = "0.0.0.0"  # noqa: S104 - looked for, not listened at


def commands() -> Iterator[list[str]]:
    yield from (service["command"] for service in SERVICES.values() if "command" in service)
    yield from (yaml.safe_load(words) for step, words in STEPS if step == "CMD")
    for line in re.findall(r"`((?:pipeline|prefect) [^`]+)`", DOCKERFILE + COMPOSE):
        yield shlex.split(line)


def names() -> set[str]:
    """Every environment variable that either file sets or reads."""
    found = set(re.findall(r"\$\{(\w+)", COMPOSE))
    for service in SERVICES.values():
        found |= set(service.get("environment", {}))
    for step, words in STEPS:
        if step == "ENV":
            found |= {pair.split("=")[0] for pair in words.split()}
    return found


def parse_ours(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    context = command.make_context("pipeline", [], resilient_parsing=True)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        command, words = command.get_command(context, words[0]), words[1:]
        assert command is not None
    needed = [one.name for one in command.params if one.required]
    command.make_context("it", words, resilient_parsing="--help" in words or bool(needed))


def parse_prefects(words: list[str]) -> None:
    from prefect.cli._app import _app

    _app.parse_args(words, print_error=False, exit_on_error=False)


PARSERS = {"pipeline": parse_ours, "prefect": parse_prefects}


@pytest.mark.parametrize("words", [pytest.param(one, id=" ".join(one)) for one in commands()])
def test_every_command_is_taken_by_its_own_parser(words: list[str]) -> None:
    PARSERS[words[0]](words[1:])


def test_its_head_says_how_to_start_it_to_read_its_setup_and_to_type_a_command() -> None:
    assert [line.partition("compose.yaml ")[2].split()[0] for line in TYPED] == ["up", "logs", "exec"]


@pytest.mark.parametrize("line", TYPED)
def test_the_commands_at_its_head_name_a_file_and_services_that_are_there(line: str) -> None:
    compose, _, given = line.partition("deployments/compose.yaml ")
    assert compose == "docker compose --env-file .env.local -f "
    verb, *words = shlex.split(given)
    if verb == "up":
        assert words == ["--build", "--detach"]
        return
    assert verb in ("logs", "exec")
    assert words[0] in SERVICES
    if verb == "exec":
        assert words[1] == "pipeline"
        parse_ours(words[2:])


@pytest.mark.parametrize(
    "words", [["pipeline", "webhooks", "--prot", "1"], ["prefect", "worker", "start", "--pol", "a"]]
)
def test_the_parsers_refuse_a_flag_that_is_none(words: list[str]) -> None:
    with pytest.raises(Exception, match=r"(?i)no such option|unknown"):
        PARSERS[words[0]](words[1:])


def test_every_variable_is_a_setting_of_ours_of_prefect_or_of_postgresql() -> None:
    from prefect.settings.legacy import _get_settings_fields
    from prefect.settings.models.root import Settings as PrefectSettings

    ours = {str(field.alias) for field in Settings.model_fields.values()}
    theirs = {str(one.name) for one in _get_settings_fields(PrefectSettings).values()} | {"PREFECT_HOME"}
    assert names() - ours - theirs - OTHERS == set()
    example = (ROOT / ".env.example").read_text()
    assert [one for one in re.findall(r"\$\{(\w+)", COMPOSE) if one not in example] == []


def test_what_is_published_is_published_on_loopback() -> None:
    published = {name: port for name, service in SERVICES.items() for port in service.get("ports", ())}
    assert all(port.startswith("127.0.0.1:") for port in published.values())
    assert not any("network_mode" in service for service in SERVICES.values())
    listening = {name for name, service in SERVICES.items() if EVERYWHERE in service.get("command", ())}
    assert listening == set(published)


def test_no_key_stands_in_either_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY|SECRET|TOKEN$|AUTH", name):
                assert value.startswith("${"), name
    assert not re.search(r"(sk|rk|re|whsec)_\w{8}", COMPOSE + DOCKERFILE)
    assert not any(step in ("ARG", "ADD") for step, _ in STEPS)
    first, *kept = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert first == "*"
    assert not any(".env" in line for line in kept)


def test_each_service_is_asked_for_its_health_where_it_listens() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name == "setup" else "unless-stopped")
        if name == "setup":
            assert "healthcheck" not in service
            continue
        asked = " ".join(service["healthcheck"]["test"])
        port = re.search(r":(\d+)/", asked)
        told = " ".join([*service.get("command", ()), *map(str, service["environment"].values())])
        assert port is None or port[1] in told
        assert "127.0.0.1" in asked


def test_what_a_service_waits_for_is_there_and_ends_or_is_healthy() -> None:
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            ends = how["condition"] == "service_completed_successfully"
            assert ends == ("healthcheck" not in SERVICES[needed])
    assert SERVICES["worker"]["command"][3:5] == ["--pool", POOL]


def test_the_image_is_small_pinned_and_not_roots() -> None:
    assert STEPS[0][1].startswith("python:3.11-slim")
    for step, words in STEPS:
        if step == "COPY":
            *sources, _ = words.split()
            allowed = (ROOT / ".dockerignore").read_text().splitlines()
            assert all((ROOT / one).exists() and f"!{one}" in allowed for one in sources)
    assert any(step == "RUN" and "pip install" in words and "-c constraints.txt" in words for step, words in STEPS)
    order = [step for step, _ in STEPS]
    assert order.index("USER") < order.index("CMD")
    client = re.search(r"postgresql-client-(\d+)", DOCKERFILE)
    assert client is not None
    assert SERVICES["postgres"]["image"] == f"postgres:{client[1]}"
