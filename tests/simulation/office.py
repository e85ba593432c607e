"""The office: what Prefect does of an operator's day, without its server.

A flow that another one calls runs here and now, and gives its state; a question's form is shown, and its run goes on
when the form was sent; a run that a yes has begun waits for its worker, once, whoever asks for it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock
from uuid import UUID

from prefect import Flow, State
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Pause
from prefect.states import Completed, Failed

import flows.approving
import flows.monitoring
import flows.processing
import flows.reconciling
import tasks.approving
from tests.simulation.knife import Knife

#: Polls of a watched sale after which the operator looks away, with Ctrl-C.
POLLS = 2


class Office:
    """An operator's forms, and the runs that wait for a worker.

    Args:
        knife: cuts around what is asked of the server as well.
        note: is told what a flow fell over.
    """

    def __init__(self, knife: Knife, note: Callable[[Exception], None]) -> None:
        self._knife, self._note = knife, note
        self._shown: set[str] = set()
        self._polls = 0
        #: Parameters of runs that were begun, by the key under which each was asked for.
        self.begun: dict[str, dict[str, Any]] = {}

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let the flows of this process meet it."""
        with ExitStack() as places:
            for module, name, ours in (
                (flows.reconciling, "processing", self._here(flows.processing.processing)),
                (flows.monitoring, "processing", self._polled(self._here(flows.processing.processing))),
                (flows.approving, "suspend_flow_run", self._show),
                (tasks.approving, "run_deployment", self._begin),
            ):
                places.enter_context(mock.patch.object(module, name, ours))
            yield

    def watch(self, sale_id: str, seconds: int) -> Any:
        """Follow a sale, for some polls at most; the flow's final state, None when the operator looked away."""
        self._polls = 0
        try:
            return flows.monitoring.monitoring.fn(sale_id, seconds)
        except KeyboardInterrupt:
            return None

    @staticmethod
    def answer(approval_id: int) -> Any:
        """One run of a question's flow; its final state, None when it waits for its form."""
        try:
            return flows.approving.approving.fn(approval_id)
        except Pause:
            return None

    def _here(self, flow: Flow[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, return_state: bool, **kwargs: Any) -> Any:
            assert return_state, "what it raises would be its caller's"
            try:
                came = flow.fn(*args, **kwargs)
            except Exception as error:
                self._note(error)
                return Failed(message=f"{type(error).__name__}: {error}")
            return came if isinstance(came, State) else Completed(data=came)

        return call

    def _polled(self, cycle: Callable[..., Any]) -> Callable[..., Any]:
        def poll(**kwargs: Any) -> Any:
            if self._polls == POLLS:
                raise KeyboardInterrupt
            self._polls += 1
            return cycle(**kwargs)

        return poll

    def _show(self, *, wait_for_input: Any, key: str) -> Any:
        """The first time the run ends here; begun again from the top, it has what was typed into its form."""
        if key not in self._shown:
            self._shown.add(key)
            raise Pause(key)
        return wait_for_input(answer="yes")

    def _begin(self, name: str, *, parameters: dict[str, Any], idempotency_key: str, **_: Any) -> FlowRun:
        self._knife.point(f"as {name} is begun")
        self.begun.setdefault(idempotency_key, {"name": name, "parameters": parameters})
        self._knife.point(f"once {name} is begun")
        return FlowRun(id=UUID(int=len(self.begun)), flow_id=UUID(int=0), name=idempotency_key)
