"""`t5x.train`, `t5x.eval`, `t5x.infer` with the gin files, in processes of their own, all at once.

The two things a user would not see go wrong: a restart that repeats or skips examples, and numbers
that depend on the machine they were computed on.
"""

import collections
import json
import runpy
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from equalinfo.lm.config import OptimizerConfig, Sampling, TrainConfig
from equalinfo.lm.data import Batch, TokenRows, make_batch
from equalinfo.lm.evaluate import evaluate_dataset
from equalinfo.lm.generate import generate
from equalinfo.lm.metrics import read
from equalinfo.lm.train import load_model
from equalinfo.lm.train import train as train_locally
from tasks.vocabulary import CodecVocabulary

pytestmark = pytest.mark.slow

TASK = "equal_info_b16_v256"
BATCH = 256
STEPS = 30  # an epoch has 26.6
PERIOD = 10
KILL_AT = 17
FEW_STEPS = 10
LONGEST = 600  # seconds, on a machine with other things to do
PARTITIONS = (1, 2, 4)  # of the model, among 8 devices: data x model 8x1, 4x2, 2x4
SPLIT = "validation"
PROMPTS = ["It was ", "", "The house of the "]
TEXT = Path(__file__).resolve().parents[2] / "demo" / "text"


def training(directory: Path, steps: int = STEPS, **macros: Any) -> dict[str, Any]:
    values = {
        "MODEL_DIR": str(directory),
        "MIXTURE_OR_TASK_NAME": TASK,
        "BATCH_SIZE": BATCH,
        "TRAIN_STEPS": steps,
        "CHECKPOINT_PERIOD": PERIOD,
        "CHECKPOINTS_KEPT": None,
        "EVAL_PERIOD": steps,
        "LOSS_NORMALIZING_FACTOR": "NUM_REAL_TARGET_TOKENS",  # as in the local trainer
        "utils.create_learning_rate_scheduler.warmup_steps": 10_000,
        **macros,
    }
    files = ["gin/runs/train_m2.gin", "gin/test/tiny.gin", "tests/t5x_models/recording.gin"]
    return {"do": "run", "gin_files": files, "bindings": bindings(values)}


def evaluation(checkpoint: Path, directory: Path) -> dict[str, Any]:
    values = {
        "CHECKPOINT_PATH": str(checkpoint),
        "EVAL_OUTPUT_DIR": str(directory),
        "MIXTURE_OR_TASK_NAME": TASK,
        "NUM_EXAMPLES": None,
        "SPLIT": SPLIT,
        "BATCH_SIZE": BATCH,  # the last batch is not full
    }
    files = ["gin/runs/eval.gin", "gin/test/tiny.gin"]
    return {"do": "run", "gin_files": files, "bindings": bindings(values)}


def sampling(checkpoint: Path, directory: Path, prompts: Path) -> dict[str, Any]:
    prompts.write_text("".join(json.dumps({"text": prompt}) + "\n" for prompt in PROMPTS))
    values = {
        "CHECKPOINT_PATH": str(checkpoint),
        "INFER_OUTPUT_DIR": str(directory),
        "MIXTURE_OR_TASK_NAME": TASK,
        "PROMPT_FILES": str(prompts),
        "PROMPT_TOKENS": 24,
        "SAMPLED_TOKENS": 20,
        "TEMPERATURE": 0.0,
        "BATCH_SIZE": 2,  # the last batch is not full
    }
    files = ["gin/runs/infer.gin", "gin/test/tiny.gin"]
    return {"do": "run", "gin_files": files, "bindings": bindings(values)}


def spelling(checkpoint: Path, directory: Path) -> dict[str, Any]:
    values = {
        "INITIAL_CHECKPOINT_PATH": str(checkpoint),
        "MODEL_DIR": str(directory),
        "MIXTURE_OR_TASK_NAME": TASK,
        "TEXT_FILES": str(TEXT / "validation-*.json.gz"),
        "NUM_WORDS": 500,
        "BATCH_SIZE": 16,
        "TRAIN_STEPS": STEPS + 2,
        "EVAL_STEPS": 1,
        "EVAL_PERIOD": 2,
        "CHECKPOINT_PERIOD": 2,
        "train.stats_period": 1,
    }
    files = ["gin/runs/finetune_spelling.gin", "gin/test/tiny.gin"]
    return {"do": "run", "gin_files": files, "bindings": bindings(values)}


def bindings(values: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {value!r}" for name, value in values.items()]


@pytest.fixture(scope="module")
def runs(start: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories `whole`, `killed`, `mesh1`, .., `hosts`, `eval`, `samples`, `spelling`."""
    root = tmp_path_factory.mktemp("runs")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    of_hosts = [training(root / "hosts", FEW_STEPS)]
    of_meshes = [
        training(
            root / f"mesh{parts}", FEW_STEPS, NUM_PARTITIONS=None, MODEL_PARALLEL_SUBMESH=(1, parts)
        )
        for parts in PARTITIONS
    ]
    compiled = {  # once for the runs on one device: a third of a short run's time
        "JAX_COMPILATION_CACHE_DIR": str(root / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    killed = start([training(root / "killed", KILL_AT=KILL_AT)], **compiled)
    others = [
        start(of_meshes, XLA_FLAGS="--xla_force_host_platform_device_count=8"),
        start(of_hosts, COORDINATOR=coordinator, PROCESS="0"),
        start(of_hosts, COORDINATOR=coordinator, PROCESS="1"),
    ]
    try:
        assert killed.wait(LONGEST) == -signal.SIGKILL
        last = root / "killed" / f"checkpoint_{STEPS}"
        rest = [
            training(root / "killed"),
            evaluation(last, root / "eval"),
            sampling(last, root / "samples", root / "prompts.jsonl"),
            spelling(last, root / "spelling"),
        ]
        others.append(start([training(root / "whole"), *rest], **compiled))
        for process in others:
            finish(process)
    finally:
        for process in (killed, *others):
            process.kill()
    return root


def finish(process: subprocess.Popen[str]) -> None:
    code = process.wait(LONGEST)
    log = Path(process.args[2]).parent / "log"  # type: ignore[index, arg-type]
    assert code == 0, log.read_text()[-4000:]


def metrics(directory: Path, tag: str) -> dict[int, float]:
    """Step -> value, of TensorBoard's files; a restarted run writes some steps again."""
    import tensorflow as tf

    values: dict[int, float] = {}
    for path in sorted(directory.glob("events.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag == tag:
                    values[event.step] = float(tf.make_ndarray(value.tensor))
    assert values, f"{directory} has no {tag}"
    return values


def rows_read(directory: Path) -> dict[int, list[str]]:
    """Step -> digests of its rows; of two processes those of both."""
    by_step: dict[int, dict[str, list[str]]] = collections.defaultdict(dict)
    for path in sorted(directory.glob("rows-*.jsonl")):
        for line in path.read_text().splitlines():
            step = json.loads(line)
            by_step[step["step"]][path.name] = step["rows"]
    return {
        step: [row for rows in of_files.values() for row in rows]
        for step, of_files in sorted(by_step.items())
    }


def largest_difference(a: Mapping[int, float], b: Mapping[int, float]) -> float:
    assert set(b) <= set(a)
    return max(abs(a[step] - b[step]) for step in b)


class Data(NamedTuple):
    rows: TokenRows
    digests: list[str]


@pytest.fixture(scope="module")
def data(dataset: Path) -> Data:
    row_digest = runpy.run_path(str(Path(__file__).with_name("recording.py")))["row_digest"]
    rows = TokenRows.load(dataset, "train", progress=False)
    return Data(rows, [row_digest(row) for row in rows.targets])


def test_the_loss_falls(runs: Path) -> None:
    bits = metrics(runs / "whole" / "train", "bits_per_byte")
    assert list(bits) == list(range(1, STEPS + 1))
    assert bits[1] > 3.0 > bits[STEPS] + 0.1


def test_a_killed_run_goes_on_as_if_nothing_had_happened(runs: Path) -> None:
    for tag in ("bits_per_byte", "loss", "accuracy", "accuracy/window_position_2"):
        whole = metrics(runs / "whole" / "train", tag)
        assert metrics(runs / "killed" / "train", tag) == whole, tag


def test_each_example_is_seen_once(runs: Path, data: Data) -> None:
    for name in ("whole", "killed"):
        read_rows = [row for rows in rows_read(runs / name).values() for row in rows]
        assert len(read_rows) == STEPS * BATCH > len(data.digests)
        epoch = collections.Counter(read_rows[: len(data.digests)])
        assert epoch == collections.Counter(data.digests), name
    again = read_rows[len(data.digests) :]
    assert again != read_rows[: len(again)]  # the second epoch has an order of its own


@pytest.mark.parametrize("name", ["mesh1", "mesh2", "mesh4", "hosts"])
def test_losses_do_not_depend_on_the_devices(runs: Path, name: str) -> None:
    expected, got = rows_read(runs / "whole"), rows_read(runs / name)
    assert len(got) == FEW_STEPS
    for step, rows in got.items():
        assert sorted(rows) == sorted(expected[step]), step
    for tag in ("bits_per_byte", "accuracy", "accuracy/window_position_1"):
        one_device = metrics(runs / "whole" / "train", tag)
        assert largest_difference(one_device, metrics(runs / name / "train", tag)) < 1e-3, tag


class Replay:
    """The rows that T5X read, for the local trainer."""

    fingerprint = "replay"

    def __init__(self, data: Data, order: Mapping[int, Sequence[str]]) -> None:
        place = {digest: number for number, digest in enumerate(data.digests)}
        self._rows = data.rows
        self._order = {step: [place[row] for row in rows] for step, rows in order.items()}

    def batch(self, step: int) -> Batch:
        examples = self._order[step]
        targets = self._rows.targets[examples]
        whole = np.full(len(targets), targets.shape[1], np.int32)
        return make_batch(targets, self._rows.num_bytes[examples], whole)


def test_the_local_trainer_gives_the_same_curve(runs: Path, data: Data, tmp_path: Path) -> None:
    config, initial, step = load_model(runs / "whole" / "checkpoint_0")
    assert step == 0
    run = TrainConfig(config, OptimizerConfig(), STEPS, log_every=1, checkpoint_every=STEPS)
    batches = Replay(data, rows_read(runs / "whole"))
    train_locally(run, batches, tmp_path, progress=False, initial=initial)
    for tag in ("bits_per_byte", "accuracy"):
        local = {int(line["step"]): line[f"train/{tag}"] for line in read(tmp_path)}
        t5x = metrics(runs / "whole" / "train", tag)
        assert local.keys() == t5x.keys()
        assert largest_difference(t5x, local) < 5e-4, tag


def test_evaluations_agree(runs: Path, dataset: Path) -> None:
    (file,) = (runs / "eval" / "inference_eval").glob("*-metrics.jsonl")
    evaluator = json.loads(file.read_text().splitlines()[-1])
    ours = evaluate_dataset(dataset, SPLIT, runs / "killed", batch_size=64, progress=False)
    assert ours.model == pytest.approx(evaluator["bits_per_byte"], abs=1e-5)
    assert ours.accuracy == pytest.approx(evaluator["accuracy"], abs=1e-5)
    assert ours.bytes_per_token == pytest.approx(evaluator["bytes_per_token"])


def test_the_summary_has_bytes_and_flops(runs: Path, data: Data) -> None:
    whole = runs / "whole" / "train"
    place = {digest: number for number, digest in enumerate(data.digests)}
    for step, rows in list(rows_read(runs / "whole").items())[:3]:
        numbers = [place[row] for row in rows]
        tokens = np.count_nonzero(data.rows.targets[numbers])
        ratio = data.rows.num_bytes[numbers].sum() / tokens
        assert metrics(whole, "bytes_per_token")[step + 1] == pytest.approx(ratio, rel=1e-6)
        flops = 2 * load_model(runs / "whole")[0].num_parameters / ratio
        assert metrics(whole, "flops_per_byte")[step + 1] == pytest.approx(flops, rel=1e-6)


def test_samples_are_text_and_the_ids_that_were_drawn(runs: Path, dataset: Path) -> None:
    (file,) = (runs / "samples").glob("*.jsonl-00000-of-00001")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["inputs"]["inputs_pretokenized"] for line in lines] == PROMPTS
    vocabulary = CodecVocabulary(str(dataset / "codec"))
    config, params, _ = load_model(runs / "killed")
    prompts = [np.array(vocabulary.encode(prompt), np.int32) for prompt in PROMPTS]
    stream = generate(
        config, params, prompts, Sampling(20, temperature=0, context=64), vocab_size=259
    )
    local = np.stack(list(stream), 1)  # from the end of the empty prompt
    for row, (line, prompt) in enumerate(zip(lines, prompts, strict=True)):
        ids = line["prediction_tokens"]
        assert ids == local[row, len(prompt) :][:20].tolist()
        assert line["prediction"] == vocabulary.decode(ids) != ""


def test_fine_tuning_goes_on_from_the_checkpoint(runs: Path) -> None:
    bits = metrics(runs / "spelling" / "train", "bits_per_byte")
    assert list(bits) == [STEPS + 1, STEPS + 2]
    tuned, _, step = load_model(runs / "spelling")
    assert step == STEPS + 2 and tuned == load_model(runs / "killed")[0]
    counted = metrics(runs / "spelling" / "train", "non_padding_fraction/loss_weights")
    assert max(counted.values()) < 0.5  # the loss is on targets only
