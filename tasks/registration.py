"""SeqIO tasks for data sets that `pipelines.compress` wrote, all from their manifests.

Examples of such a task have `targets` int32[<= L], `num_bytes` and `num_documents` (exact, for the
metrics), `source` and `part` (where the text comes from). Records hold no padding; feature
converters add it, and the metrics do not count it.
"""

import functools
import hashlib
import os
import re
from collections.abc import Mapping

import seqio
import tensorflow as tf

from equalinfo.codecs import codec_of
from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import Manifest
from tasks.metrics import LanguageModelScores
from tasks.vocabulary import CodecVocabulary

FEATURES = {
    # allow_missing: of variable length, dense.
    "targets": tf.io.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
    "num_bytes": tf.io.FixedLenFeature([], tf.int64),
    "num_documents": tf.io.FixedLenFeature([], tf.int64),
    "source": tf.io.FixedLenFeature([], tf.string),
    "part": tf.io.FixedLenFeature([], tf.int64),
}

_ENTRY = re.compile(r"(?:([\w.-]+)=)?(.+)", re.DOTALL)  # NAME=DIR, or DIR

# name -> (directory, sha256 of its manifest), to tell a repetition from a clash.
_registered: dict[str, tuple[str, str]] = {}


def register(
    directory: str | os.PathLike[str],
    name: str | None = None,
    sequence_length: int | None = None,
    *,
    prefix: str = "",
    verify: bool = False,
) -> str:
    """Register the SeqIO task of a data set directory.

    Repeating a call changes nothing.

    Args:
      directory: written by `pipelines.compress`; may be remote (gs://...).
      name: of the task; by default `task_name` of the manifest.
      sequence_length: tokens per record that the caller counts on; None takes the manifest's.
      prefix: put before the default name, such as "c4".
      verify: read every record first, its checksums and counts. Without it
        the number of records of a shard is checked whenever the shard is read to its end.

    Returns:
      the name of the task.

    Raises:
      ManifestError: no data set there, a damaged manifest, or shards missing.
      ValueError: the codec beside it is another one; `sequence_length` differs; the name is taken;
        it holds ArrayRecord files.
    """
    place = _normal(os.fspath(directory))
    dataset = Dataset.open(place)
    manifest = dataset.manifest
    name = name or task_name(manifest, prefix)
    identity = (place, hashlib.sha256(manifest.to_json().encode("utf-8")).hexdigest())
    taken = name in seqio.TaskRegistry.names()
    if taken and _registered.get(name) != identity:
        raise ValueError(_clash(name, identity))
    if sequence_length is not None and sequence_length != manifest.sequence_length:
        raise ValueError(
            f"task {name!r}: sequence_length={sequence_length}, but the records in {place} hold "
            f"up to {manifest.sequence_length} tokens, and num_bytes counts for whole records. "
            f"Compress again with --sequence_length={sequence_length}."
        )
    shards = {split: content.shards for split, content in manifest.splits.items()}
    files = [shard.file for of_split in shards.values() for shard in of_split]
    if other := [file for file in files if ".array_record-" in file]:
        raise ValueError(
            f"{place}/{other[0]} is an ArrayRecord file, of which {len(other)} are in this data "
            "set: SeqIO reads TFRecord. Compress with --format=tfrecord."
        )
    dataset.check_codec()
    dataset.check_shards()
    if verify:
        for split in manifest.splits:
            for _ in dataset.read(split):
                pass
    if taken:
        return name
    vocabulary = CodecVocabulary(dataset.codec_directory, vocab_size=manifest.vocab_size)
    seqio.TaskRegistry.add(
        name,
        source=_Shards(
            split_to_filepattern={
                split: [f"{place}/{shard.file}" for shard in of_split]
                for split, of_split in shards.items()
            },
            feature_description=FEATURES,
            reader_cls=functools.partial(
                _counted_records,
                {f"{place}/{s.file}": s.records for of_split in shards.values() for s in of_split},
            ),
            num_input_examples={
                split: content.totals["records"] for split, content in manifest.splits.items()
            },
        ),
        preprocessors=[
            functools.partial(_finish, task=name, record_length=manifest.sequence_length)
        ],
        output_features={
            "targets": seqio.Feature(vocabulary, add_eos=False, dtype=tf.int32),
        },
        metric_objs=[LanguageModelScores.empty()],
    )
    _registered[name] = identity
    return name


def manifest_sha256(name: str) -> str | None:
    """sha256 of the manifest of a task of `register`; None of other tasks."""
    return _registered[name][1] if name in _registered else None


def register_all(directories: str) -> list[str]:
    """Register several directories: `DIR` or `NAME=DIR`, separated by `:`, or by `;`.

    Where a directory is remote (gs://...), `;` separates. A NAME is of letters, digits, `_`, `.`
    and `-`: write `./day=1` where that is the directory.

    Returns:
      the names of the tasks, in that order.
    """
    separator = ";" if ";" in directories or "://" in directories else ":"
    names = []
    for entry in filter(None, directories.split(separator)):
        match = _ENTRY.fullmatch(entry)
        assert match
        name, directory = match.groups()
        names.append(register(directory, name))
    return names


def task_name(manifest: Manifest, prefix: str = "") -> str:
    """The name that a data set's options give it, such as `equal_info_b16_v65k`.

    b: bits per window; v: vocabulary, in thousands from 1,000 on: 2^N for N-bit tokens [paper 3.4],
    of `codebook` its codes, of `sentencepiece` its pieces.
    Options that differ from the paper's main setting follow: `delay`, `reset2`, `noreset`,
    `noheader`, `trimmed`.
    """
    parts = [prefix, manifest.method] if prefix else [manifest.method]
    parts += codec_of(manifest.method).name_parts(manifest)
    if manifest.trim == "paper":
        parts.append("trimmed")
    return "_".join(parts)


def _normal(directory: str) -> str:
    return directory.rstrip("/") if "://" in directory else os.path.realpath(directory)


def _clash(name: str, identity: tuple[str, str]) -> str:
    advice = "Give another name: register(directory, name=...), or a prefix."
    known = _registered.get(name)
    if known is None:
        return f"task {name!r} is registered already, by other code. {advice}"
    if known[0] == identity[0]:
        return (
            f"task {name!r} was registered from {known[0]}, whose manifest has changed since "
            f"(sha256:{known[1][:12]}.. then, sha256:{identity[1][:12]}.. now). {advice}"
        )
    return f"task {name!r} is registered for {known[0]}, not for {identity[0]}. {advice}"


class _Shards(seqio.TFExampleDataSource):
    """Files by their names, which SeqIO would take for globs."""

    def list_shards(self, split: str) -> list[str]:
        return list(self._split_to_filepattern[split])


def _counted_records(records: Mapping[str, int], file: tf.Tensor) -> tf.data.Dataset:
    """Records of one shard; not as many as the manifest counts is an error when they are read.

    A TFRecord file that was cut between two records is a valid file: nothing else would notice.
    """
    known = tf.constant(list(records), tf.string)
    counts = tf.constant(list(records.values()), tf.int64)
    expected = tf.reduce_sum(tf.where(tf.equal(known, file), counts, 0))
    return tf.data.TFRecordDataset(file).apply(tf.data.experimental.assert_cardinality(expected))


def _finish(
    dataset: tf.data.Dataset,
    sequence_length: Mapping[str, int | None] | None = None,
    *,
    task: str,
    record_length: int,
) -> tf.data.Dataset:
    """int32 ids; refuses a length that would cut tokens off while their bytes stay counted."""
    length = (sequence_length or {}).get("targets")
    if length is not None and length < record_length:
        raise ValueError(
            f"task {task!r}: sequence_length targets={length}, but its records hold up to "
            f"{record_length} tokens: the rest would be cut off, its bytes still counted, and "
            f"bits/byte too low. Use {record_length}, or compress with --sequence_length={length}."
        )

    def convert(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {**example, "targets": tf.cast(example["targets"], tf.int32)}

    return dataset.map(convert, num_parallel_calls=tf.data.experimental.AUTOTUNE)
