"""SeqIO vocabularies: text <-> the token ids of any compression method, or of a codebook.

The codec is loaded when text is first encoded or decoded, not before: registering tasks, and
training on records, load none.
"""

import hashlib
import importlib
import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import seqio
import tensorflow as tf

from equalinfo import alphabet, codecs
from equalinfo.codebook.shipped import DEFAULT_CODEBOOK, named, resolve_codebook, shipped_file
from equalinfo.codecs.base import Codec, Ids
from equalinfo.data import storage
from equalinfo.ids import EOS_ID, ID_OFFSET, UNK_ID
from equalinfo.tokenizer import Tokenizer

_LOADING = threading.Lock()
_log = logging.getLogger(__name__)


def codec_fingerprint(description: Mapping[str, Any]) -> str:
    """sha256 of what a codec's ids mean, of its description: equal where they mean the same."""
    codec = codecs.codec_of(description["method"])
    meaning = codec.meaning(description["options"], description["assets"])
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode("utf-8")).hexdigest()


class CodecVocabulary(seqio.Vocabulary):
    """Ids of a codec: 0 pad, 1 eos, 2 unk, then the codes.

    A text is one document. `encode` adds no EOS, neither as a symbol nor as an id (a SeqIO feature
    with add_eos=True appends the id). `decode` goes up to the first id 1, as in every SeqIO
    vocabulary; `documents` reads on. Both read bytes as UTF-8, and U+FFFD where they are not. What
    a model may sample decodes too: pad, unk and ids out of range stand for nothing.

    Ids may be cut anywhere: of a window without all of its tokens nothing is decoded. What cannot
    be decoded so: methods that need the number of symbols (`ac`), the middle of a stream (`gzip`),
    and, to the right text, the middle of an example where M1 is not reset at every window, or that
    begins inside a window, as records do whose length is no multiple of its tokens.
    Methods that are not lossless give their decoder's best guess.

    The Python and the TensorFlow path run the same code. TensorFlow reaches it through
    `tf.numpy_function`, where a call takes longer than encoding a page of text: `encode_tf` takes
    batches of documents, too. A graph with such a call runs in this process only.
    """

    def __init__(
        self,
        directory: str,
        vocab_size: int | None = None,
        extra_ids: int = 0,
    ) -> None:
        """Read the description of the codec, and nothing else.

        Args:
          directory: a codec directory, such as DIR/codec of a data set; may be remote (gs://...).
          vocab_size: of the codec, as the manifest has it; None loads the codec to ask for it.
          extra_ids: ids added after the codec's, for sentinels.
        """
        self._codec: Codec | None = None
        self._directory = str(directory)
        self._vocab_size = vocab_size
        self._description = self._describe()
        self._sha256 = codec_fingerprint(self._description)
        super().__init__(extra_ids=extra_ids)

    @property
    def _base_vocab_size(self) -> int:
        return self.codec.vocab_size if self._vocab_size is None else self._vocab_size

    @property
    def directory(self) -> str:
        """The codec directory; may be remote."""
        return self._directory

    @property
    def assets(self) -> Mapping[str, str]:
        """sha256 of each file of the codec, such as its M1."""
        return dict(self._description["assets"])

    @property
    def method(self) -> str:
        """The compression method."""
        return str(self._description["method"])

    @property
    def eos_in_stream(self) -> bool:
        """The id 1 ends documents; otherwise a symbol inside windows does."""
        return self._kind.eos_is_id

    @property
    def tokens_per_window(self) -> int | None:
        """Tokens of one window; None where there are no windows, or tokens cross their ends."""
        return self._kind.tokens_per_window(self._description["options"])

    @property
    def _kind(self) -> type[Codec]:
        return codecs.codec_of(self.method)

    @property
    def codec(self) -> Codec:
        """The codec, loaded (and its assets verified) on first use."""
        with _LOADING:
            if self._codec is None:
                self._codec = self._load()
            return self._codec

    @property
    def sha256(self) -> str:
        """Equal for vocabularies whose ids mean the same, 64 hexadecimal digits."""
        return self._sha256

    @property
    def bos_id(self) -> int | None:
        """None: sequences begin with pad, as T5's do."""
        return None

    @property
    def eos_id(self) -> int:
        """1."""
        return EOS_ID

    @property
    def unk_id(self) -> int:
        """2; only the codec `sentencepiece` writes it."""
        return UNK_ID

    def documents(self, ids: Sequence[int] | Ids) -> list[bytes]:
        """All documents in a stream of ids, past every EOS; the last may be unfinished.

        Id 1 ends a document as an EOS symbol does, where each token decodes by itself.

        Args:
          ids: int[n]; pad, unk and ids out of range stand for nothing.

        Raises:
          ValueError: the method cannot decode without the number of symbols.
        """
        if self._kind.needs_lengths:
            raise ValueError(
                f"method {self.method!r} cannot decode ids alone: it needs the number of symbols "
                "of each example. Use equalinfo.codecs.load(DIR).decode(ids, lengths), or "
                "equalinfo.Dataset.open(DIR).restore(SPLIT) for a whole data set."
            )
        codec, array = self.codec, np.asarray(ids).reshape(-1)
        lowest = EOS_ID if self._kind.eos_is_id else ID_OFFSET
        ends = np.flatnonzero(array == EOS_ID)
        if lowest == EOS_ID or codec.tokens_per_unit != 1:
            ends = ends[:0]
        pieces = [
            codec.whole(_that_stand_for_text(piece, lowest, codec))
            for piece in np.split(array.astype(np.int64), ends)
        ]
        decoded = codec.decode(pieces, allow_errors=True)
        eos = np.array([alphabet.EOS], np.uint16)
        joined = [part for piece in decoded for part in (eos, piece)]
        return alphabet.split(np.concatenate(joined[1:]))

    def goes_on_after(self, tokens: int) -> bool:
        """Whether more ids can follow a text of so many: see `Codec.goes_on_after`."""
        return self.codec.goes_on_after(tokens)

    def _describe(self) -> dict[str, Any]:
        return codecs.describe(self._directory)

    def _read(self) -> Codec:
        return codecs.load(self._directory)

    def _load(self) -> Codec:
        codec, found = self._read(), codec_fingerprint(self._describe())
        if found != self._sha256:
            raise ValueError(
                f"{self._directory or 'the codebook of the package'} was sha256:"
                f"{self._sha256[:12]}.. where this vocabulary was made, and is "
                f"sha256:{found[:12]}.. here. Its tokens mean something else. Use the same file, "
                "or the same version of equalinfo, in every process."
            )
        if self._vocab_size not in (None, codec.vocab_size):
            raise ValueError(
                f"the codec in {self._directory} has {codec.vocab_size} ids, but "
                f"vocab_size={self._vocab_size} was expected. Use the codec of the data set."
            )
        if not codec.lossless:
            _log.warning("Method %r is not lossless: decoded text is a best guess.", self.method)
        return codec

    def _text(self, ids: npt.NDArray[Any]) -> str:
        # Id 1 ends the text. Inside windows EOS is a symbol, and documents go on after it.
        ends = np.flatnonzero(ids == EOS_ID)
        documents = self.documents(ids[: ends[0]] if len(ends) else ids)
        return "\n".join(document.decode("utf-8", "replace") for document in documents)

    def _encode(self, s: str | bytes) -> list[int]:
        return self.codec.encode_bytes([alphabet.as_bytes(s)])[0].tolist()

    def _decode(self, ids: Sequence[int]) -> str:
        return self._text(np.asarray(ids, np.int64).reshape(-1))

    def _encode_tf(self, s: tf.Tensor) -> tf.Tensor | tf.RaggedTensor:
        s = tf.convert_to_tensor(s, tf.string)
        if s.shape.rank is None:
            s = tf.ensure_shape(s, [])
        if s.shape.rank > 1:
            raise ValueError(
                f"encode_tf got string{s.shape.as_list()}, expected string[] or string[B]. "
                "Reshape it to one dimension."
            )

        def encode_batch(documents: npt.NDArray[Any]) -> tuple[Ids, npt.NDArray[np.int64]]:
            ids = self.codec.encode_bytes(documents.tolist())
            lengths = np.array([len(of_one) for of_one in ids], np.int64)
            return np.concatenate(ids) if ids else np.empty(0, np.int32), lengths

        ids, lengths = tf.numpy_function(
            encode_batch, [tf.reshape(s, [-1])], (tf.int32, tf.int64), stateful=False
        )
        ids.set_shape([None])
        if s.shape.rank == 0:
            return ids
        lengths.set_shape(s.shape)
        return tf.RaggedTensor.from_row_lengths(ids, lengths, validate=False)

    def decode_tf(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """Decode in TensorFlow, each row up to its first id 1.

        Args:
          ids: int[..., L], or a RaggedTensor of `encode_tf`.

        Returns:
          string[...], of one call for all rows.
        """
        return super().decode_tf(ids.to_tensor() if isinstance(ids, tf.RaggedTensor) else ids)

    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        def decode(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
            # dtype=object: NumPy's own strings would drop NUL at the end.
            texts = np.empty(rows.shape[:-1], object)
            for place in np.ndindex(texts.shape):
                texts[place] = self._text(rows[place]).encode("utf-8")
            return texts

        texts = tf.numpy_function(decode, [ids], tf.string, stateful=False)
        texts.set_shape(ids.shape[:-1])
        return texts

    def __getstate__(self) -> dict[str, Any]:
        # gin deep-copies vocabularies, and workers pickle them: the codec is loaded again there.
        return {**self.__dict__, "_codec": None}

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, CodecVocabulary)
            and self._sha256 == other._sha256
            and self.extra_ids == other.extra_ids
        )

    def __hash__(self) -> int:
        return hash((self._sha256, self.extra_ids))

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}(method={self.method}, sha256={self.sha256[:12]}, "
            f"vocab_size={self._vocab_size}, extra_ids={self.extra_ids})"
        )


class TokenizerVocabulary(CodecVocabulary):
    """Ids of `equalinfo.Tokenizer`: fast enough to train straight from text.

    Equal to the vocabulary of a data set that was compressed with the same codebook and parse.
    Every byte string has ids of its own (SeqIO's text need not be valid UTF-8), and unk never
    occurs. Pickles are small: they hold the path and the sha256, and where they are read the same
    codebook must be.
    """

    def __init__(
        self,
        codebook: str | os.PathLike[str] | None = None,
        extra_ids: int = 0,
    ) -> None:
        """Load the codebook.

        Args:
          codebook: a `.eqi` file, may be remote (gs://...), or the name of one of the package,
            such as english-65536-v2; None takes its default, which another version of the package
            may replace: name one in configurations that must last.
          extra_ids: ids added after the codebook's, for sentinels.
        """
        place = "" if codebook is None else os.fspath(codebook)
        super().__init__(place, None, extra_ids)
        self._vocab_size = self.codec.vocab_size

    @property
    def tokenizer(self) -> Tokenizer:
        """The same, without SeqIO."""
        codec = self.codec
        assert isinstance(codec, codecs.CodebookCodec)
        return Tokenizer(codec.codebook, codec.parse)

    @property
    def eos_in_stream(self) -> bool:
        """Text tasks write the id 1 behind documents."""
        return True

    def _describe(self) -> dict[str, Any]:
        codec = self._read()
        with self._file() as path:
            return codec.description({codecs.CODEBOOK_ASSET: storage.sha256(path)})

    def _read(self) -> Codec:
        with self._file() as path:
            return codecs.CodebookCodec(codebook=resolve_codebook(path))

    def _file(self) -> AbstractContextManager[str]:
        if name := named(self._directory or DEFAULT_CODEBOOK):
            return shipped_file(name)
        return storage.local_copy(self._directory)


def _that_stand_for_text(ids: npt.NDArray[np.int64], lowest: int, codec: Codec) -> Ids:
    """Without pad, unk and ids out of range; the tokens that belong to such a one go with it."""
    wrong = (ids < lowest) | (ids == UNK_ID) | (ids >= codec.vocab_size)
    unit = codec.tokens_per_unit or 1
    sound = np.flatnonzero(~wrong)
    if unit > 1 and len(sound) < len(ids):
        end = sound[-1] + 1 if len(sound) else 0  # behind it there is padding
        ids, starts = ids[:end], np.arange(0, end, unit)
        in_unit = np.logical_or.reduceat(wrong[:end], starts) if end else wrong[:0]
        sound = np.flatnonzero(~np.repeat(in_unit, unit)[:end])
    return ids[sound].astype(np.int32)


def vocabulary_of(task: str, module: str | None = None) -> seqio.Vocabulary:
    """The vocabulary of the targets.

    Args:
      task: name of a task or mixture.
      module: imported first; it registers the task.
    """
    if module is not None:
        importlib.import_module(module)
    return seqio.get_mixture_or_task(task).output_features["targets"].vocabulary
