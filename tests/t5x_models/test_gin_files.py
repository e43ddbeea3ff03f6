"""The gin files parse, build, and say what is true. Some of it needs no T5X."""

import ast
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from equalinfo.data.manifest import Manifest
from equalinfo.lm.config import SIZES, ModelConfig, model_config
from equalinfo.lm.model import Transformer
from pipelines.compress import main as compress
from tasks.registration import task_name

ROOT = Path(__file__).resolve().parents[2]
GIN = ROOT / "gin"
FILES = sorted(GIN.rglob("*.gin"))
CODECS = sorted((GIN / "codecs").glob("*.gin"))
PAPER_SIZES = [size for size in SIZES if size not in ("tiny", "small")]

without_t5x = pytest.mark.without_t5x


@without_t5x
def test_there_is_a_file_for_every_size_and_method() -> None:
    assert {path.stem for path in (GIN / "models" / "sizes").glob("*.gin")} == set(PAPER_SIZES)
    methods = {"bytes", "sentencepiece", "gzip", "static_ac", "ac", "equal_info_ac", "equal_info"}
    assert {path.stem for path in CODECS} == methods | {"codebook"}


@without_t5x
@pytest.mark.parametrize("size", PAPER_SIZES)
def test_models_have_their_size_by_shape(size: str) -> None:
    """As the files have it, read without gin, which treats what needs T5X as unknown."""
    text = (GIN / "models" / "decoder.gin").read_text()
    text = (
        text.split("config.ModelConfig:\n")[1]
        + (GIN / "models" / "sizes" / f"{size}.gin").read_text()
    )
    bindings = re.findall(r"^  (\w+) = ([\d(].*)$", text, re.MULTILINE)
    values = {name: ast.literal_eval(value) for name, value in bindings}
    config = ModelConfig(vocab_size=384, **values)
    assert config == model_config(size, 384, config.dtype)
    shapes = jax.eval_shape(
        lambda: Transformer(config).init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32))["params"]
    )
    total = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    assert total - 2 * config.vocab_size * config.embed_dim == config.num_parameters


# Run -> the sizes it is built with, and what it requires.
ALL_SIZES = [f"gin/models/sizes/{size}.gin" for size in PAPER_SIZES] + ["gin/test/tiny.gin"]
ONE_SIZE = ["gin/models/sizes/113m.gin"]
RUNS = {
    "train_m1": (ALL_SIZES, {"MODEL_DIR": "none"}),
    "train_m2": (ALL_SIZES, {"MODEL_DIR": "none"}),
    "eval": (ALL_SIZES, {"EVAL_OUTPUT_DIR": "none", "CHECKPOINT_PATH": "none"}),
    "infer": (ONE_SIZE, {"INFER_OUTPUT_DIR": "none", "CHECKPOINT_PATH": "none"}),
    "finetune_spelling": (
        ONE_SIZE,
        {"MODEL_DIR": "none", "INITIAL_CHECKPOINT_PATH": "none", "TEXT_FILES": "none.txt"},
    ),
    "seq2seq_codec": (
        ONE_SIZE,
        {"MODEL_DIR": "none", "TEXT_FILES": {"train": "none.txt", "validation": "none.txt"}},
    ),
}


def test_every_file_builds(start: Any, dataset: Path) -> None:
    """Every run with sizes and codecs: all bindings are evaluated, models by shape only."""
    runs = []
    for run, (models, needed) in RUNS.items():
        for model in models:
            files = [f"gin/runs/{run}.gin", model]
            values = dict(needed)
            if run == "seq2seq_codec":
                values["CODEC"] = str(dataset / "codec")
            else:
                files.append(str(CODECS[len(runs) % len(CODECS)].relative_to(ROOT)))
            bindings = [f"{name} = {value!r}" for name, value in values.items()]
            runs.append({"do": "build", "gin_files": files, "bindings": bindings})
    used = {file for run in runs for file in run["gin_files"]} | {"gin/models/decoder.gin"}
    assert used == {str(path.relative_to(ROOT)) for path in FILES}
    # The data sets of all codecs, as far as their names matter here.
    names = [re.findall(r"^MIXTURE.*'(\w+)'$", path.read_text(), re.M)[0] for path in CODECS]
    data_sets = ":".join(f"{name}={dataset}" for name in names)
    process = start(runs, EQUALINFO_DATASETS=data_sets)
    code = process.wait(200)
    assert code == 0, (Path(process.args[2]).parent / "log").read_text()[-3000:]


@without_t5x
@pytest.mark.parametrize("method", ["codebook", "equal_info"])
def test_codec_files_name_the_task_of_the_methods_data_set(method: str, tmp_path: Path) -> None:
    """As the command in the file writes it, with the package's codebook of 65,536 codes."""
    text = tmp_path / "a.txt"
    text.write_text("A document.\n")
    argv = ["--method", method, "--input", str(text), "--output", str(tmp_path / "data")]
    assert compress([*argv, "--quiet"]) == 0
    name = task_name(Manifest.load(tmp_path / "data"))
    content = (GIN / "codecs" / f"{method}.gin").read_text()
    assert f"MIXTURE_OR_TASK_NAME = '{name}'\n" in content
