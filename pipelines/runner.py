"""Where a pipeline runs: local processes by default, any other Beam runner by name.

Beam's own defaults are not safe here: its DirectRunner may try to download another runner, a
mistyped option is only a warning, and two runners lose data (measured with apache-beam 2.77).
"""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult

from equalinfo.data import storage
from equalinfo.m1.frozen.threads import THREADS_VARIABLE, num_threads
from pipelines.local_workers import watched

LOCAL = "FnApiRunner"

_LOCAL_NAMES = {"fnapirunner", "directrunner", "direct"}
_DATAFLOW_NAMES = {"dataflowrunner", "dataflow"}


class RunnerError(ValueError):
    """A runner, or an option of one, that cannot be used."""


@dataclass(frozen=True)
class RunnerOptions:
    """A runner and its options.

    Attributes:
      name: "FnApiRunner" (local), or what Beam calls it.
      workers: local processes; 1 elsewhere.
      flags: further options for Beam, checked.
    """

    name: str = LOCAL
    workers: int = 1
    flags: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        """True where the job runs in processes of this machine."""
        return self.name == LOCAL

    @property
    def template(self) -> bool:
        """True where the job is only written down: a Flex Template starts it afterwards."""
        return any(flag.split("=")[0] == "--template_location" for flag in self.flags)

    @classmethod
    def checked(cls, name: str, workers: int, flags: Sequence[str]) -> "RunnerOptions":
        """The options, or a RunnerError that says what is wrong and what to do.

        Args:
          name: of the runner.
          workers: local processes.
          flags: options left over from the command line; Beam must know each.
        """
        local = name.lower() in _LOCAL_NAMES
        if name.lower() in ("daskrunner", "dask"):
            raise RunnerError(
                "--runner=DaskRunner is refused: it runs only the last branch of a graph and drops "
                "outputs (measured, apache-beam 2.77). Use --runner=FnApiRunner with --workers=N."
            )
        if workers > 1 and not local:
            raise RunnerError(
                f"--workers={workers} starts local processes, which --runner={name} does not use. "
                "Give that runner's own option instead (Dataflow: --num_workers)."
            )
        known, unknown = _parse_beam_flags(flags)
        if unknown:
            raise RunnerError(f"unknown option {unknown[0]}: neither ours nor Beam's.")
        if "multi_threading" in (known["direct_running_mode"] or ""):
            raise RunnerError(
                "--direct_running_mode=multi_threading is refused: it loses data in silence "
                "(measured, apache-beam 2.77: 5 of 13 runs). --workers=N starts processes instead."
            )
        for flag in flags:
            if flag.startswith(("--direct_running_mode", "--direct_num_workers")):
                raise RunnerError(f"{flag} is set by --workers=N: leave it out.")
        if name.lower() in _DATAFLOW_NAMES and not known["sdk_container_image"]:
            raise RunnerError(
                f"--runner={name} needs --sdk_container_image=IMAGE: Beam's own image has neither "
                "equalinfo nor pipelines, and each worker would fail. See deploy/README.md."
            )
        storage.impersonate(known["impersonate_service_account"] or "")
        return cls(LOCAL if local else name, workers, tuple(flags))

    def check_paths(self, paths: Sequence[str]) -> None:
        """Refuse files that Dataflow's workers would not find, before the job is paid for.

        Args:
          paths: inputs and outputs; `tfds:` names its files itself.

        Raises:
          RunnerError: one is on this machine.
        """
        if self.name.lower() not in _DATAFLOW_NAMES:
            return
        for path in paths:
            if storage.is_local(path) and not path.startswith("tfds:"):
                raise RunnerError(
                    f"{path} is on this machine, and --runner={self.name} works on others. Copy "
                    "inputs to a bucket, and give gs://BUCKET/... for inputs and output."
                )


def _parse_beam_flags(flags: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Options that Beam knows, and arguments that it does not."""
    parser = _BeamArgumentParser(prog="apache_beam", allow_abbrev=False)
    for options in {cls.__name__: cls for cls in PipelineOptions.__subclasses__()}.values():
        options._add_argparse_args(parser)
    known, unknown = parser.parse_known_args(list(flags))
    return vars(known), unknown


def run_pipeline(options: RunnerOptions, build: Callable[[beam.Pipeline], None]) -> PipelineResult:
    """Run the pipeline that `build` makes, and wait until it is done.

    Raises:
      Exception: what a worker raised; from another process or machine, as Beam reports it.
      SystemExit: with `options.template`, status 0: Dataflow starts the job when this process has
        ended, so there is nothing to wait for and no result to look at.
    """
    if not options.local:
        flags = [f"--runner={options.name}", *options.flags]
        pipeline = beam.Pipeline(options=PipelineOptions(flags))
        if options.template:
            build(pipeline)
            pipeline.run()
            sys.exit(0)
        return _run(pipeline, build)
    mode = "multi_processing" if options.workers > 1 else "in_memory"
    flags = [
        *options.flags,
        f"--direct_running_mode={mode}",
        f"--direct_num_workers={options.workers}",
    ]
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(flags))
    if options.workers == 1:
        return _run(pipeline, build)
    with watched(options.workers), _worker_environment(options.workers):
        return _run(pipeline, build)


def _run(pipeline: beam.Pipeline, build: Callable[[beam.Pipeline], None]) -> PipelineResult:
    build(pipeline)
    result = pipeline.run()
    result.wait_until_finish()
    return result


@contextmanager
def _worker_environment(workers: int) -> Iterator[None]:
    """What local worker processes inherit.

    The checkout goes on PYTHONPATH, so that they can import `pipelines`. Their log level can only
    be set by an options file; without it each writes dozens of lines into the progress bar. An M1
    in each must not take all processors.
    """
    paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    names = ("PYTHONPATH", "PIPELINE_OPTIONS_FILE", THREADS_VARIABLE)
    before = {name: os.environ.get(name) for name in names}
    repeats = logging.getLogger("apache_beam.runners.portability.local_job_service")
    level = repeats.level
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"default_sdk_harness_log_level": "ERROR"}, file)
        file.flush()
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        os.environ["PIPELINE_OPTIONS_FILE"] = file.name
        os.environ.setdefault(THREADS_VARIABLE, str(max(1, num_threads() // workers)))
        repeats.setLevel(logging.CRITICAL)  # workers print their errors themselves
        try:
            yield
        finally:
            repeats.setLevel(level)
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
