"""Beam's local worker processes, watched: where one dies, the others end, and the job fails.

Beam alone (measured, apache-beam 2.77) waits for ever for a worker that is killed before it has
reported for work. For one that is killed later it fails, but only when the other workers have done
all they have, and says `Channel closed prematurely`.
"""

import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc  # type: ignore[import-untyped]
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    SubprocessSdkWorkerHandler,
    WorkerHandler,
)
from apache_beam.runners.portability.local_job_service import SubprocessSdkWorker

_ANSWER_SECONDS = 0.2

_log = logging.getLogger(__name__)


class WorkerDiedError(RuntimeError):
    """A local worker process ended before its job did."""


@contextmanager
def watched(workers: int) -> Iterator[None]:
    """Watch the local worker processes that Beam starts meanwhile.

    Raises:
      WorkerDiedError: one died; says how.
    """
    # Nobody accepts connections, but those that wait break as well when the listener is closed.
    with socket.create_server(("127.0.0.1", 0), backlog=max(workers, 16)) as listener:
        deaths: list[str] = []

        def start(*of_beam: object) -> _WatchedWorker:
            return _WatchedWorker(listener, deaths, *of_beam)

        registered = WorkerHandler._registered_environments
        of_beam = registered[python_urns.SUBPROCESS_SDK]
        WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)(start)
        hook = threading.excepthook
        threading.excepthook = lambda fault: _report(fault, hook)
        try:
            yield
        except Exception as error:
            if deaths:
                raise WorkerDiedError(
                    f"a worker process died ({deaths[0]}; 137 or -9: it was killed). Where the "
                    "system did it for want of memory (see dmesg), use fewer --workers."
                ) from error
            raise
        finally:
            threading.excepthook = hook
            registered[python_urns.SUBPROCESS_SDK] = of_beam


def _report(
    fault: threading.ExceptHookArgs, hook: Callable[[threading.ExceptHookArgs], object]
) -> None:
    """Print what ended a thread, but for broken connections: the death behind them is told."""
    if not isinstance(fault.exc_value, grpc.RpcError):
        hook(fault)


class _WatchedWorker(SubprocessSdkWorkerHandler):
    """Starts a worker process, and once it has died answers in its place, with an error."""

    def __init__(self, listener: socket.socket, deaths: list[str], *of_beam: object) -> None:
        super().__init__(*of_beam)
        port = listener.getsockname()[1]
        command = f'"{sys.executable}" -m pipelines.local_worker {port}'
        self._worker_command_line = command.encode()
        self._listener = listener
        self._deaths = deaths
        self._closing = threading.Event()

    def start_worker(self) -> None:
        self.worker = SubprocessSdkWorker(
            self._worker_command_line, self.control_address, self.provision_info, self.worker_id
        )
        self.worker_thread = threading.Thread(target=self._watch, name="run_worker")
        self.worker_thread.start()

    def _watch(self) -> None:
        try:
            self.worker.run()
            if self._closing.is_set():
                return
            self._deaths.append("it ended by itself")
        except RuntimeError as error:
            self._deaths.append(str(error))
        self._listener.close()  # ends the other workers
        # Also what is asked later on: this worker may be waited for in the next stage only.
        while not self._closing.wait(_ANSWER_SECONDS):
            for number, future in list(self.control_conn._futures_by_id.items()):
                if not future.is_done():
                    future.set(
                        beam_fn_api_pb2.InstructionResponse(
                            instruction_id=number, error=self._deaths[0]
                        )
                    )

    def close(self) -> None:
        self._closing.set()
        try:
            super().close()
        except Exception as error:
            self.stop_worker()  # waits: then it is known how the worker ended
            if not self._deaths:
                raise
            _log.debug("closing a dead worker: %s", error)
