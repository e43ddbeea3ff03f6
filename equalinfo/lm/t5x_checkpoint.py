"""Checkpoints of T5X, read and written without T5X.

T5X's MODEL_DIR holds one directory `checkpoint_N` per saved step, in one of two formats:

- its own: the file `checkpoint` is msgpack, {"version": 3, "optimizer": {"target": parameters,
  "state": {"step": N, ...}}}, where nearly every array is only the place of a zarr array beside it,
  such as `target.decoder.layers_0.mlp.wo.kernel`;
- Orbax (`use_orbax=True`): the folder `state` is one OCDBT database of zarr arrays of these names.

The optimizer's state, most of the bytes, is neither read nor written. What is written here is whole
for `t5x.eval` and `t5x.infer`. To train on, with an optimizer that begins anew, in T5X's gin file:

  utils.RestoreCheckpointConfig:
    path = 'DIR/checkpoint_N'
    mode = 'specific'
    assignment_map = ((r'state/param_states.*', None),)
    fallback_to_scratch = True

Letters in shapes: E embed_dim, H heads, D head_dim, F mlp_dim, V vocab_size.
"""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import tensorstore
from flax import serialization
from flax.traverse_util import flatten_dict, unflatten_dict

from equalinfo.lm.config import ModelConfig
from equalinfo.lm.model import Transformer

PyTree = Any
Array = tensorstore.TensorStore | np.ndarray  # the latter from the msgpack file itself

_VERSION = 3
_TARGET = "target/"
_STEP = "state/step"


def load_t5x_params(directory: Path) -> tuple[ModelConfig, PyTree, int]:
    """Read a checkpoint of T5X.

    The architecture is read off the shapes, and must be `equalinfo.lm.model.Transformer`'s. What no
    shape tells has the default of `ModelConfig` (`mlp_activations`, `relative_max_distance`: set
    them in T5X's gin file, and a checkpoint does not say so); activations are float32.

    Args:
      directory: a `checkpoint_N`, or a MODEL_DIR with several, of which the newest is read.

    Returns:
      (model, parameters as float32, step).

    Raises:
      FileNotFoundError: there is no checkpoint of T5X.
      ValueError: it is damaged, or of another model; names file or parameters.
    """
    folder = newest_checkpoint(Path(directory))
    native = (folder / "checkpoint").is_file()
    leaves = _native_leaves(folder) if native else _orbax_leaves(folder)
    if _STEP not in leaves or not any(name.startswith(_TARGET) for name in leaves):
        raise ValueError(
            f"{folder} holds no {_TARGET[:-1]} and {_STEP}, where T5X writes the parameters and "
            "the step. Name a checkpoint of T5X's trainer."
        )
    arrays = _open(leaves, folder)
    step = _read({_STEP: arrays.pop(_STEP)}, folder)[_STEP]
    # A run that was restarted has it in the dtype of its parameters: T5X restores all in one.
    if step.shape != () or int(step) != step:
        raise ValueError(f"{folder}: {_STEP} is {step.dtype}{list(step.shape)}, not an integer.")
    params = {name.removeprefix(_TARGET): array for name, array in arrays.items()}
    config = _architecture(params, folder)
    flat = {}
    for name, value in _read(params, folder).items():
        flat[name] = jnp.asarray(value.astype(np.float32))
        if not np.all(np.isfinite(value)):
            raise ValueError(
                f"{folder}: parameter {name!r} has values that are not finite: the training run "
                "diverged. Use an earlier checkpoint."
            )
    return config, unflatten_dict(flat, sep="/"), int(step)


def save_t5x_params(directory: Path, params: PyTree, step: int) -> Path:
    """Write `checkpoint_{step}` in Orbax's format, for T5X to restore.

    Args:
      directory: where it is written; need not exist.
      params: of `Transformer`, float32.
      step: at which training goes on; the learning rate depends on it.

    Returns:
      the checkpoint's directory.

    Raises:
      ValueError: it exists.
    """
    folder = Path(directory).absolute() / f"checkpoint_{step}"
    if folder.exists():
        raise ValueError(f"{folder} exists: it is not overwritten. Name another directory.")
    state = {"target": params, "state": {"step": np.asarray(step, np.int32)}}
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=True)) as checkpointer:
        checkpointer.save(folder / "state", args=ocp.args.PyTreeSave(state))
    return folder


def newest_checkpoint(directory: Path) -> Path:
    """The `checkpoint_N` of the highest step in `directory`, or itself if it has none.

    Raises:
      FileNotFoundError: that is not a checkpoint of T5X.
    """
    if not directory.is_dir():
        raise FileNotFoundError(
            f"{directory} is not a directory here. Copy a checkpoint that lies in a bucket first: "
            "gcloud storage cp -r gs://BUCKET/MODEL_DIR/checkpoint_N ."
        )
    steps = {
        int(match[1]): path
        for path in directory.iterdir()
        # Not those that are still being written, as in checkpoint_7.tmp-1700000000.
        if (match := re.fullmatch(r"checkpoint_(\d+)", path.name)) and path.is_dir()
    }
    folder = steps[max(steps)] if steps else directory
    if not (folder / "checkpoint").is_file() and not (folder / "state").is_dir():
        raise FileNotFoundError(
            f"{folder} holds no checkpoint of T5X: neither a file 'checkpoint', nor a folder "
            "'state', nor folders 'checkpoint_N'. Name T5X's MODEL_DIR, or a whole checkpoint_N "
            "in it."
        )
    return folder


def _native_leaves(folder: Path) -> dict[str, Any]:
    """Name -> array, or key-value store of a zarr array: parameters and step."""
    file = folder / "checkpoint"
    try:
        contents = serialization.msgpack_restore(file.read_bytes())
        version = contents.get("version")
        state = contents.get("optimizer", {})
        flat = flatten_dict(state, is_leaf=lambda _, value: "kvstore" in value, sep="/")
        leaves = {
            name: _place(value, folder) if isinstance(value, dict) else value
            for name, value in flat.items()
            if _wanted(name)
        }
    except Exception as error:  # of msgpack's, NumPy's or Flax's: any bytes may stand there
        raise ValueError(
            f"{file} is not a checkpoint of T5X, or it is damaged: {error!r}. Copy it again."
        ) from error
    if version != _VERSION:
        raise ValueError(
            f"{file} has version {version!r}, expected {_VERSION}, which T5X writes since June "
            "2021. Save it again with such a T5X."
        )
    return leaves


def _place(spec: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Key-value store of a zarr array; T5X's spec tells it for the machine that wrote it."""
    store = spec["kvstore"]
    path = store["path"] if "path" in store else spec["path"]  # the latter: TensorStore < 0.1.14
    return {"driver": "file", "path": f"{folder.absolute() / path}/"}


def _wanted(name: str) -> bool:
    return name.startswith(_TARGET) or name == _STEP


def _orbax_leaves(folder: Path) -> dict[str, Any]:
    """As `_native_leaves`, of a checkpoint in Orbax's format."""
    base = {"driver": "file", "path": f"{folder.absolute() / 'state'}/"}
    try:
        store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result()
        keys = [key.decode() for key in store.list().result()]
    except ValueError as error:
        raise ValueError(
            f"{folder / 'state'} is not of Orbax's OCDBT format, or it is damaged: "
            f"{_short(error)}. Copy the whole folder again."
        ) from error
    names = [key.removesuffix("/.zarray") for key in keys if key.endswith("/.zarray")]
    return {
        name.replace(".", "/"): {"driver": "ocdbt", "base": base, "path": f"{name}/"}
        for name in names
        if _wanted(name.replace(".", "/"))
    }


def _open(leaves: dict[str, Any], folder: Path) -> dict[str, Array]:
    """Arrays with shape and dtype, not yet read."""

    def ask(store: dict[str, Any]) -> Any:
        # A chunk that was lost on the way would otherwise be read as zeros.
        options = {"driver": "zarr", "fill_missing_data_reads": False}
        return tensorstore.open({**options, "kvstore": store}, open=True, read=True)

    return _all(leaves, dict, ask, folder)


def _read(arrays: dict[str, Array], folder: Path) -> dict[str, np.ndarray]:
    """The values."""
    return _all(arrays, tensorstore.TensorStore, lambda array: array.read(), folder)


def _all(leaves: dict[str, Any], kind: type, ask: Any, folder: Path) -> dict[str, Any]:
    """What `ask` gives of leaves of a kind, all asked at once; the others are arrays already.

    Raises:
      ValueError: TensorStore fails; names the leaf.
    """
    asked = {name: ask(leaf) for name, leaf in leaves.items() if isinstance(leaf, kind)}
    found = {}
    for name, leaf in leaves.items():
        try:
            found[name] = asked[name].result() if name in asked else np.asarray(leaf)
        except ValueError as error:
            raise ValueError(
                f"{folder}: {name.removeprefix(_TARGET)!r} cannot be read: {_short(error)}. Copy "
                "the whole folder again."
            ) from error
    return found


def _short(error: Exception) -> str:
    """TensorStore's message without the JSON it appends."""
    return str(error).partition(" [")[0]


def _architecture(params: dict[str, Array], folder: Path) -> ModelConfig:
    """The model whose parameters have these names and shapes.

    Raises:
      ValueError: there is none; names the parameters.
    """
    layers = {match[0] for name in params if (match := re.match(r"decoder/layers_\d+/", name))}
    vocab_size, embed_dim = _shape(params, "decoder/token_embedder", folder)
    first = "decoder/layers_0/"
    bias_name = first + "self_attention/relpos_bias/rel_embedding"
    num_heads, buckets = _shape(params, bias_name, folder)
    query_name = first + "self_attention/query/kernel"
    _, inner = _shape(params, query_name, folder)
    _, mlp_dim = _shape(params, first + "mlp/wi_0/kernel", folder)
    if inner % num_heads:
        raise ValueError(
            f"{folder}: {query_name!r} has {inner} columns, which {num_heads} heads, the rows of "
            f"{bias_name!r}, cannot share."
        )
    config = ModelConfig(
        vocab_size=vocab_size,
        embed_dim=embed_dim,
        num_heads=num_heads,
        num_layers=len(layers),
        head_dim=inner // num_heads,
        mlp_dim=mlp_dim,
        relative_buckets=buckets,
        dtype=jnp.dtype(jnp.float32),
    )
    expected = flatten_dict(
        jax.eval_shape(
            lambda: Transformer(config).init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32))
        )["params"],
        sep="/",
    )
    missing, unknown = expected.keys() - params.keys(), params.keys() - expected.keys()
    if missing or unknown:
        raise ValueError(
            f"{folder} is not a checkpoint of equalinfo.lm.model.Transformer: it lacks "
            f"{_some(missing)} and has {_some(unknown)} besides. Train that module, with layers "
            "that are not scanned."
        )
    for name, value in expected.items():
        got = params[name]
        if tuple(got.shape) != value.shape:
            raise ValueError(
                f"{folder}: parameter {name!r} has shape {tuple(got.shape)}, but {value.shape} "
                f"fits the others ({config})."
            )
        dtype = got.dtype if isinstance(got, np.ndarray) else got.dtype.numpy_dtype
        if not jnp.issubdtype(dtype, jnp.floating):
            raise ValueError(
                f"{folder}: parameter {name!r} is {dtype}, expected floats. Save it with T5X's "
                "save_dtype float32."
            )
    return config


def _shape(params: dict[str, Array], name: str, folder: Path) -> tuple[int, int]:
    shape = tuple(params[name].shape) if name in params else None
    if shape is None or len(shape) != 2 or 0 in shape:
        found = "is missing" if shape is None else f"has shape {shape}, expected two sizes"
        raise ValueError(
            f"{folder}: parameter {name!r} {found}; the checkpoint has {_some(params.keys())}. "
            "Train equalinfo.lm.model.Transformer, with layers that are not scanned."
        )
    return shape[0], shape[1]


def _some(names: Any) -> str:
    """The first names of a set, and how many more there are."""
    listed = sorted(names)
    more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
    return (", ".join(map(repr, listed[:4])) or "nothing") + more
