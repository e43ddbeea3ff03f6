import asyncio
import shutil
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
import tensorstore
from flax import serialization
from flax.traverse_util import flatten_dict, unflatten_dict

from equalinfo.lm.config import ModelConfig
from equalinfo.lm.model import Transformer
from equalinfo.lm.t5x_checkpoint import load_t5x_params

# No two sizes alike, so that a mix-up of axes fails.
CONFIG = ModelConfig(
    vocab_size=128,
    embed_dim=24,
    num_heads=2,
    num_layers=2,
    head_dim=8,
    mlp_dim=40,
    relative_buckets=20,
    dtype=jnp.dtype(jnp.float32),
)
KERNEL = "decoder/layers_1/mlp/wo/kernel"
SCALE = "decoder/decoder_norm/scale"


@pytest.fixture(scope="module")
def variables() -> Any:
    """`params` and, for T5X, `params_axes`."""
    model, tokens = Transformer(CONFIG), jnp.zeros((1, 8), jnp.int32)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), tokens))
    rng = np.random.default_rng(0)
    draw = lambda x: jnp.asarray(rng.standard_normal(x.shape, np.float32))  # noqa: E731
    return {**shapes, "params": jax.tree.map(draw, shapes["params"])}


@pytest.fixture
def flat(variables: Any) -> dict[str, np.ndarray]:
    """Name -> array."""
    return {k: np.array(v) for k, v in flatten_dict(variables["params"], sep="/").items()}


def assert_same(params: Any, expected: dict[str, np.ndarray]) -> None:
    got = flatten_dict(params, sep="/")
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == jnp.float32
        np.testing.assert_array_equal(got[name], value, err_msg=name)


def write_zarr(path: Path, value: np.ndarray, chunks: list[int]) -> dict[str, Any]:
    """Writes an array; returns what T5X puts in its place in the msgpack file."""
    spec = {
        "driver": "zarr",
        "dtype": value.dtype.name,
        "kvstore": {"driver": "file", "path": f"{path}/"},
        "metadata": {
            "chunks": chunks,
            "compressor": {"id": "gzip", "level": 1},
            "shape": list(value.shape),
        },
    }
    tensorstore.open(spec, create=True).result().write(value).result()
    return {**spec, "kvstore": {"driver": "file", "path": f"{path.name}/"}}


def write_native(folder: Path, flat: dict[str, np.ndarray], step: int = 7) -> dict[str, Any]:
    """A checkpoint as T5X's `checkpoints.Checkpointer` left it at commit cc342d419ec3.

    (github.com/google-research/t5x, April 2026.) Returns what is in the msgpack file.
    """
    folder.mkdir(parents=True)
    target: dict[str, Any] = {}
    for name, value in flat.items():
        # As on several devices: each writes its chunk.
        chunks = [value.shape[0] // 2, *value.shape[1:]] if value.ndim == 2 else [*value.shape]
        target[name] = write_zarr(folder / f"target.{name.replace('/', '.')}", value, chunks)
    target[SCALE] = flat.get(SCALE)  # what is not partitioned lies in the msgpack file
    moments = write_zarr(folder / "state.param_states.v", np.zeros((4, 4), np.float32), [4, 4])
    shutil.rmtree(folder / "state.param_states.v")  # the optimizer's state is not read
    contents = {
        "version": 3,
        "optimizer": {
            "target": unflatten_dict(target, sep="/"),
            "state": {
                "step": np.array(step, np.int32),
                "param_states": {"v": moments, "m": np.zeros(1, np.float32)},
            },
        },
    }
    write_msgpack(folder, contents)
    return contents


def write_msgpack(folder: Path, contents: Any) -> None:
    (folder / "checkpoint").write_bytes(serialization.to_bytes(contents))


def write_orbax(folder: Path, flat: dict[str, np.ndarray], step: int = 7) -> None:
    """What T5X's `OrbaxCheckpointManagerInterface` leaves, at the same commit."""
    state = {
        "target": unflatten_dict(flat, sep="/"),
        "state": {"step": np.array(step, np.int32), "param_states": {"v": np.zeros((4, 4))}},
    }
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=True)) as checkpointer:
        checkpointer.save(folder.absolute() / "state", args=ocp.args.PyTreeSave(state))


@pytest.mark.parametrize("write", [write_native, write_orbax])
def test_what_was_written_is_read(tmp_path: Path, flat: dict[str, np.ndarray], write: Any) -> None:
    write(tmp_path / "checkpoint_7", flat)
    config, params, step = load_t5x_params(tmp_path / "checkpoint_7")
    assert (config, step) == (CONFIG, 7)
    assert_same(params, flat)


def test_the_newest_of_a_directory_is_read(tmp_path: Path, flat: dict[str, np.ndarray]) -> None:
    for step in (9, 10):
        write_native(tmp_path / f"checkpoint_{step}", {k: v + step for k, v in flat.items()}, step)
    shutil.copytree(tmp_path / "checkpoint_9", tmp_path / "checkpoint_11.tmp-1700000000")
    _, params, step = load_t5x_params(tmp_path)
    assert step == 10
    assert_same(params, {k: v + 10 for k, v in flat.items()})
    assert load_t5x_params(tmp_path / "checkpoint_9")[2] == 9


@pytest.mark.parametrize("write", [write_native, write_orbax])
def test_bfloat16_is_read_as_float32(
    tmp_path: Path, flat: dict[str, np.ndarray], write: Any
) -> None:
    rounded = {name: value.astype(jnp.bfloat16) for name, value in flat.items()}
    write(tmp_path, rounded) if write is write_orbax else write(tmp_path / "checkpoint_1", rounded)
    config, params, _ = load_t5x_params(tmp_path)
    assert config == CONFIG
    assert_same(params, {name: value.astype(np.float32) for name, value in rounded.items()})


def test_a_copy_from_a_bucket_is_read(tmp_path: Path, flat: dict[str, np.ndarray]) -> None:
    folder = tmp_path / "checkpoint_7"
    contents = write_native(folder, flat)
    kernel = contents["optimizer"]["target"]["decoder"]["layers_1"]["mlp"]["wo"]["kernel"]
    path = kernel["kvstore"]["path"]
    for spec in (
        {"kvstore": {"driver": "gcs", "bucket": "t5x-dummy-bucket", "path": path}},
        {"kvstore": {"driver": "gfile", "path": path.rstrip("/")}},
        {"kvstore": {"driver": "gcs", "bucket": "t5x-dummy-bucket"}, "path": path},  # of 2021
    ):
        kernel.update(spec)
        write_msgpack(folder, contents)
        assert_same(load_t5x_params(folder)[1], flat)


def drop(flat: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {k: v for k, v in flat.items() if k != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: drop(x, KERNEL), f"lacks '{KERNEL}' and has nothing besides"),
        (lambda x: x | {"decoder/bias": x[KERNEL]}, "lacks nothing and has 'decoder/bias' besides"),
        (lambda x: drop(x, "decoder/token_embedder"), "'decoder/token_embedder' is missing"),
        (
            lambda x: {k.replace("layers_1", "layers_2"): v for k, v in x.items()},
            "lacks .*layers_1/.* and 6 more and has .*layers_2/.* and 6 more besides",
        ),
        (
            lambda x: {k.replace("layers_0", "layers"): v for k, v in x.items()},
            "'decoder/layers_0/.*rel_embedding' is missing.*'decoder/layers/.*not scanned",
        ),
        (
            lambda x: x | {"decoder/layers_0/self_attention/query/kernel": np.ones((24, 2, 8))},
            r"query/kernel' has shape \(24, 2, 8\), expected two sizes",
        ),
        (
            lambda x: x | {"decoder/layers_0/self_attention/query/kernel": np.ones((24, 17))},
            "query/kernel' has 17 columns, which 2 heads",
        ),
        (
            lambda x: x | {KERNEL: x[KERNEL].T.copy()},
            rf"'{KERNEL}' has shape \(24, 40\), but \(40, 24\) fits",
        ),
        (lambda x: x | {KERNEL: x[KERNEL].astype(np.int32)}, f"'{KERNEL}' is int32, expected"),
        (lambda x: x | {KERNEL: x[KERNEL] * np.nan}, f"'{KERNEL}' has values that are not finite"),
    ],
)
def test_another_model_is_refused(
    tmp_path: Path, flat: dict[str, np.ndarray], change: Any, message: str
) -> None:
    folder = tmp_path / "checkpoint_7"
    write_native(folder, change(flat))
    with pytest.raises(ValueError, match=message) as error:
        load_t5x_params(tmp_path)
    assert str(folder) in str(error.value)


def test_an_array_that_was_not_copied_is_missed(
    tmp_path: Path, flat: dict[str, np.ndarray]
) -> None:
    # TensorStore, and so T5X, would read a missing chunk as zeros.
    folder = tmp_path / "checkpoint_7"
    write_native(folder, flat)
    array = folder / f"target.{KERNEL.replace('/', '.')}"
    (array / "1.0").unlink()
    with pytest.raises(ValueError, match=rf"'{KERNEL}' cannot be read: .*missing"):
        load_t5x_params(folder)
    shutil.rmtree(array)
    with pytest.raises(ValueError, match=rf"'{KERNEL}' cannot be read: .*does not exist"):
        load_t5x_params(folder)


def test_a_damaged_orbax_checkpoint_is_refused(tmp_path: Path, flat: dict[str, np.ndarray]) -> None:
    folder = tmp_path / "checkpoint_7"
    write_orbax(folder, flat)
    data = [*folder.glob("state/d/*"), *folder.glob("state/ocdbt.process_*/d/*")]
    assert data
    for path in data:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"checkpoint_7.*Copy the whole folder again"):
        load_t5x_params(folder)
    (folder / "state" / "manifest.ocdbt").unlink()
    with pytest.raises(ValueError, match=r"checkpoint_7 holds no target|not of Orbax's OCDBT"):
        load_t5x_params(folder)


def test_a_damaged_file_is_refused(tmp_path: Path, flat: dict[str, np.ndarray]) -> None:
    folder = tmp_path / "checkpoint_7"
    contents = write_native(folder, flat)
    good = (folder / "checkpoint").read_bytes()
    for bad in (b"", good[:-9], b'model_checkpoint_path: "model.ckpt-9"', b"\x93\x01\x02\x03"):
        (folder / "checkpoint").write_bytes(bad)
        with pytest.raises(ValueError, match=r"checkpoint is not a checkpoint of T5X, or it is"):
            load_t5x_params(folder)
    for version in (2, None):
        write_msgpack(folder, contents | {"version": version})
        with pytest.raises(ValueError, match=f"has version {version}, expected 3"):
            load_t5x_params(folder)
    for state in ({}, {"target": contents["optimizer"]["target"]}, {"state": {"step": 1}}):
        write_msgpack(folder, {"version": 3, "optimizer": state})
        with pytest.raises(ValueError, match="holds no target and state/step"):
            load_t5x_params(folder)
    write_msgpack(
        folder, {"version": 3, "optimizer": contents["optimizer"] | {"state": {"step": 1.5}}}
    )
    with pytest.raises(ValueError, match="state/step is float64"):
        load_t5x_params(folder)


def test_no_checkpoint_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere is not a directory here.*gcloud"):
        load_t5x_params(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no checkpoint of T5X"):
        load_t5x_params(tmp_path)
    (tmp_path / "checkpoint_3").mkdir()
    with pytest.raises(FileNotFoundError, match="checkpoint_3 holds no checkpoint of T5X"):
        load_t5x_params(tmp_path)


@pytest.mark.filterwarnings("ignore")  # T5X's, and those of what it imports
@pytest.mark.slow  # T5X imports TensorFlow, Flax, Grain and more
# The Orbax interface of that commit ignores save_dtype.
@pytest.mark.parametrize(
    ("orbax", "save_dtype"), [(False, np.float32), (False, jnp.bfloat16), (True, np.float32)]
)
def test_what_t5x_wrote_is_read(
    tmp_path: Path, variables: Any, flat: dict[str, np.ndarray], orbax: bool, save_dtype: Any
) -> None:
    pytest.importorskip("t5x", reason="T5X is not installed: its own checkpoints are NOT tested")
    from t5x import adafactor, checkpoints, partitioning, train_state

    optimizer = adafactor.Adafactor(
        decay_rate=0.8,
        step_offset=0,
        logical_factor_rules=adafactor.standard_logical_factor_rules(),
    )
    state = train_state.FlaxOptimTrainState.create(optimizer, flax.core.freeze(variables))
    partitioner = partitioning.PjitPartitioner(num_partitions=1)
    saved = state.replace_step(jnp.int32(12))
    if orbax:
        manager = checkpoints.OrbaxCheckpointManagerInterface(
            str(tmp_path), state, partitioner, save_dtype=save_dtype
        )
        manager.save(saved)
        manager.close()
    else:
        saver = checkpoints.Checkpointer(state, partitioner, str(tmp_path), save_dtype=save_dtype)
        loop = asyncio.get_event_loop()  # T5X makes it, and never closes it
        saver.save(saved)
        loop.close()
    config, params, step = load_t5x_params(tmp_path)
    assert (config, step) == (CONFIG, 12)
    assert_same(params, {k: v.astype(save_dtype).astype(np.float32) for k, v in flat.items()})
