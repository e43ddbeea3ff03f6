"""Which input files a job reads, in which order, and how each is read.

One input file becomes one shard, so the order here is the order of the shards. Files are sorted by
base name: the output depends on the files, not on where they lie.
"""

import os
from collections.abc import Sequence

from equalinfo.data import storage
from equalinfo.data.text import InputFile, format_of

TFDS_PREFIX = "tfds:"
TFDS_FORMATS = ("tfrecord", "array_record", "parquet")


class InputError(ValueError):
    """There is no such input, or this input cannot be read as asked."""


def find(
    patterns: Sequence[str],
    *,
    field: str = "text",
    split: str = "train",
    data_dir: str | None = None,
) -> list[InputFile]:
    """The input files that `patterns` mean, in shard order.

    Args:
      patterns: paths, globs (`**` works), or `tfds:NAME[/CONFIG][:VERSION]`.
      field: field, column or feature that holds the text.
      split: of a TFDS data set.
      data_dir: where TFDS data sets lie; TFDS's own default if None.

    Raises:
      InputError: a pattern fits nothing, a suffix is not known, two files share a base name, or a
        name is not UTF-8.
    """
    found: dict[str, InputFile] = {}
    for pattern in patterns:
        if pattern.startswith(TFDS_PREFIX):
            files = _find_tfds(pattern, field, split, data_dir)
        else:
            # A name may look like a glob that fits other files: a[1].txt.
            named = storage.is_local(pattern) and os.path.isfile(pattern)
            paths = [pattern] if named else storage.match(pattern)
            files = [InputFile(path, _format(path), field, _size(path)) for path in paths]
            if not files:
                if os.path.isdir(pattern):
                    raise InputError(f"--input={pattern!r} is a directory: name its files, DIR/*.")
                raise InputError(
                    f"--input={pattern!r} fits no file (looked from {os.getcwd()!r}). "
                    "Quote globs, and check the path."
                )
        found.update({file.path: file for file in files})
    names: dict[str, str] = {}
    for path, file in sorted(found.items()):
        try:
            name = file.name
        except UnicodeDecodeError as error:
            raise InputError(
                f"the name of the input {path!r} is not UTF-8. Records name their input: rename it."
            ) from error
        if name in names:
            raise InputError(
                f"two inputs are called {name!r}: {names[name]} and {path}. Records name "
                "their input by its base name: rename one, or compress them as two splits."
            )
        names[name] = path
    return sorted(found.values(), key=lambda file: file.name)


def _size(path: str) -> int | None:
    if not storage.is_local(path):
        return None
    try:
        return storage.size(path)
    except OSError as error:
        raise InputError(f"{path} is an input, and cannot be read: {error.strerror}.") from error


def _format(path: str) -> str:
    try:
        return format_of(path)
    except ValueError as error:
        raise InputError(f"{error} Rename it, or narrow --input.") from error


def _find_tfds(pattern: str, field: str, split: str, data_dir: str | None) -> list[InputFile]:
    """The files of a prepared TFDS split.

    They are read directly: TFDS's Beam reader gives the examples in no fixed order. What TFDS knows
    (the names of the files, their format, the feature's type) is asked here, once; workers need no
    TensorFlow.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(
            f"--input={pattern!r} needs tensorflow-datasets: pip install 'equalinfo[seqio]'."
        ) from error
    name = pattern.removeprefix(TFDS_PREFIX)
    try:
        if "://" in name or os.path.isdir(name):
            builder = tfds.builder_from_directory(name)
        else:
            builder = tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except (ValueError, AssertionError, OSError, tfds.core.DatasetNotFoundError) as error:
        raise InputError(
            f"--input={pattern!r}: TFDS does not find it under data_dir={data_dir!r}: {error}"
        ) from error
    info = builder.info
    if split not in info.splits:
        raise InputError(
            f"--input={pattern!r} has the splits {sorted(info.splits)} in {builder.data_dir}, not "
            f"{split!r}. Choose one with --tfds_split; if there is none, prepare the data set "
            "first (`tfds build`)."
        )
    file_format = info.file_format.value
    if file_format not in TFDS_FORMATS:
        raise InputError(
            f"--input={pattern!r} is stored as {file_format}, expected {', '.join(TFDS_FORMATS)}. "
            "Convert it: `tfds convert_format --out_file_format=tfrecord`."
        )
    feature = dict(info.features.items()).get(field)
    if not isinstance(feature, tfds.features.Text):
        raise InputError(
            f"--input={pattern!r}: feature {field!r} is {feature}, expected tfds.features.Text. "
            f"Features: {sorted(info.features)}. Choose one with --text_field."
        )
    paths = [os.fspath(path) for path in info.splits[split].filepaths]
    if file_format == "array_record" and not all(map(storage.is_local, paths)):
        raise InputError(
            f"--input={pattern!r} lies in {builder.data_dir} as array_record, which is read from "
            "local directories only. Copy it, or convert it: `tfds convert_format "
            "--out_file_format=tfrecord`."
        )
    lengths = info.splits[split].shard_lengths or [None] * len(paths)
    return [
        InputFile(path, f"tfds_{file_format}", field, _size(path), records)
        for path, records in zip(paths, lengths, strict=True)
    ]
