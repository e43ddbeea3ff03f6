"""Which input files a job reads, in which order: those of `equalinfo.data.find`, and TFDS.

One input file becomes one shard, so the order here is the order of the shards.
"""

import os
from collections.abc import Sequence

from equalinfo.data import find as files_on_disk
from equalinfo.data import storage
from equalinfo.data.inputs import InputError, InputFile

TFDS_PREFIX = "tfds:"
TFDS_FORMATS = ("tfrecord", "array_record", "parquet")


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
      InputError: a pattern fits nothing, a suffix is not known, or a name is not UTF-8.
    """
    found: list[InputFile] = []
    for pattern in patterns:
        if pattern.startswith(TFDS_PREFIX):
            found += _find_tfds(pattern, field, split, data_dir)
        else:
            found += files_on_disk.find([pattern], field)
    return files_on_disk.in_order(found)


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
        files_on_disk.listed(path, f"tfds_{file_format}", field, records)
        for path, records in zip(paths, lengths, strict=True)
    ]
