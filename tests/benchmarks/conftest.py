"""Benchmarks: `pytest tests/benchmarks -s`. Each prints its figure, and fails where its bound is not held."""

from __future__ import annotations

from tests.flows.conftest import harness, world
from tests.stages.conftest import rehearse, stage

__all__ = ["harness", "rehearse", "stage", "world"]
