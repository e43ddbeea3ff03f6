"""Any Apache Beam runner, by its name: Dataflow, Flink, Spark, Beam's own.

Two graphs (`beam_graph`) give the same results. One element is a task; a worker does it and only
its result goes on. Or tasks are read into parts, these are spread over the workers, and come
together again where the task's result is made. Nothing depends on a runner's order: parts are
numbered.

Beam's own defaults are not safe here: its DirectRunner may try to download another runner, a
mistyped option is only a warning, and two runners lose data (measured with apache-beam 2.77). It
takes seconds to import, so that happens where a runner is named.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from equalinfo.data import storage
from equalinfo.flags import flag
from pipelines.executors.work import Executor, JobFailedError, Work

FN_API = "FnApiRunner"
"""Beam's runner on this machine that downloads nothing."""

_ON_THIS_MACHINE = {"fnapirunner", "directrunner", "direct"}
_DATAFLOW = {"dataflowrunner", "dataflow"}


@dataclass(frozen=True)
class Beam(Executor):
    """A runner, and options for Beam."""

    spreads = True

    runner: str | None = flag(
        None,
        metavar="NAME",
        help="a runner of Apache Beam in place of local processes; its own options may follow",
    )
    options: tuple[str, ...] = ()

    def checked(self, more: Sequence[str], paths: Sequence[str]) -> "Beam":
        """With what is left of the command line, each of which Beam must know.

        Raises:
          ValueError: a runner, or an option of one, that cannot be used; says what to do.
          ImportError: Beam is not installed.
          StorageError: nobody is logged in who could act as another account.
        """
        runner = self.runner or ""
        if runner.lower() in ("daskrunner", "dask"):
            raise ValueError(
                "--runner=DaskRunner is refused: it runs only the last branch of a graph and drops "
                "outputs (measured, apache-beam 2.77). Use --dask ADDRESS, which works without "
                "Beam, or --workers=N."
            )
        try:
            known, unknown = _parse(more)
        except ImportError as error:
            raise ImportError(
                f"--runner needs Apache Beam ({error}): pip install 'equalinfo[beam]'."
            ) from error
        if unknown:
            raise ValueError(f"unknown option {unknown[0]}: neither ours nor Beam's.")
        if "multi_threading" in (known["direct_running_mode"] or ""):
            raise ValueError(
                "--direct_running_mode=multi_threading is refused: it loses data in silence "
                "(measured, apache-beam 2.77: 5 of 13 runs). --workers=N starts processes instead."
            )
        if runner.lower() in _DATAFLOW:
            _check_dataflow(runner, known, paths)
        storage.impersonate(known["impersonate_service_account"] or "")
        here = runner.lower() in _ON_THIS_MACHINE
        return replace(self, runner=FN_API if here else runner, options=tuple(more))

    @property
    def here(self) -> bool:
        """Beam's own runner on this machine, which holds what it spreads in memory."""
        return self.runner == FN_API

    @property
    def spreads_models(self) -> bool:
        """See `Executor`."""
        return not self.here

    def run(self, work: Work[Any, Any], tasks: Sequence[Any], spread: bool = False) -> Any:
        """See `Executor.run`.

        Raises:
          SystemExit: with --template_location, status 0: Dataflow starts the job when this process
            has ended, so there is nothing to wait for and no result to look at.
        """
        from apache_beam import Pipeline
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        from pipelines.executors.beam_graph import build

        if self.here:
            pipeline = Pipeline(runner=FnApiRunner(), options=PipelineOptions(list(self.options)))
        else:
            options = PipelineOptions([*self.options, f"--runner={self.runner}"])
            pipeline = Pipeline(options=options)
        build(pipeline, work, tasks, spread)
        if any(option.split("=")[0] == "--template_location" for option in self.options):
            pipeline.run()
            sys.exit(0)
        storage.delete([work.outcome])
        try:
            pipeline.run().wait_until_finish()
        except Exception as error:
            # What a worker process raised comes as the text of its whole stack, the cause last.
            cause = str(error).rstrip().rpartition("\n")[2]
            reason = f"the runner: {type(error).__name__}: {cause}"
            reason = _outcome(work).get("error", reason)
            with suppress(OSError):  # the job's reason is what matters
                storage.delete([work.outcome])
            raise JobFailedError(reason) from error
        outcome = _outcome(work)
        storage.delete([work.outcome])
        if "error" in outcome:
            raise JobFailedError(outcome["error"])
        return outcome.get("value")


def _check_dataflow(runner: str, known: dict[str, Any], paths: Sequence[str]) -> None:
    """Refuse what its workers would not find, before the job is paid for."""
    if not known["sdk_container_image"]:
        raise ValueError(
            f"--runner={runner} needs --sdk_container_image=IMAGE: Beam's own image has "
            "neither equalinfo nor pipelines, and each worker would fail. See deploy/README.md."
        )
    for path in paths:
        if storage.is_local(path) and not path.startswith("tfds:"):
            raise ValueError(
                f"{path} is on this machine, and --runner={runner} works on others. Copy "
                "inputs to a bucket, and give gs://BUCKET/... for inputs and output."
            )


def _parse(options: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Options that Beam knows, and arguments that it does not."""
    from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

    parser = _BeamArgumentParser(prog="apache_beam", allow_abbrev=False)
    for each in {cls.__name__: cls for cls in PipelineOptions.__subclasses__()}.values():
        each._add_argparse_args(parser)
    known, unknown = parser.parse_known_args(list(options))
    return vars(known), unknown


def _outcome(work: Work[Any, Any]) -> dict[str, Any]:
    """What a worker left in the file `work.outcome`; nothing where there is none."""
    if not storage.exists(work.outcome):
        return {}
    return dict(json.loads(storage.read_text(work.outcome)))
