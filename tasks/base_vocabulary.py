"""What the vocabularies share: the special ids, both paths on one function, pickling, equality."""

import threading
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import seqio
import tensorflow as tf

from equalinfo.ids import EOS_ID, UNK_ID

Ids = npt.NDArray[np.int32]

Coder = TypeVar("Coder")


class BaseVocabulary(seqio.Vocabulary, Generic[Coder]):
    """Ids 0 pad, 1 eos, 2 unk, then those of a coder, which is loaded when it is first used.

    A text is one document. `encode` adds no EOS, neither as a symbol nor as an id (a SeqIO feature
    with add_eos=True appends the id). `decode` goes up to the first id 1, as in every SeqIO
    vocabulary; `documents` reads on. Both read bytes as UTF-8, and U+FFFD where they are not. What
    a model may sample decodes too: pad, unk and ids out of range stand for nothing.

    The Python and the TensorFlow path run the same code. TensorFlow reaches it through
    `tf.numpy_function`, where a call takes longer than encoding a page of text: `encode_tf` takes
    batches of documents, too. A graph with such a call runs in this process only.
    """

    def __init__(self, sha256: str, extra_ids: int, document_separator: str) -> None:
        """Name the coder by its sha256: vocabularies are equal if it and `extra_ids` are."""
        super().__init__(extra_ids=extra_ids)
        self._sha256 = sha256
        self._separator = document_separator
        self._coder: Coder | None = None
        self._lock = threading.Lock()

    @abstractmethod
    def _load(self) -> Coder:
        """Read the coder, and check that it is the one that `sha256` names."""

    @abstractmethod
    def _encode_documents(self, documents: list[bytes]) -> list[Ids]:
        """Encode each document by itself, int32[tokens] each."""

    @abstractmethod
    def documents(self, ids: Sequence[int] | Ids) -> list[bytes]:
        """All documents in a stream of ids, past every EOS; the last may be unfinished.

        Args:
          ids: int[n]; pad, unk and ids out of range stand for nothing.
        """

    @property
    def sha256(self) -> str:
        """What the coder is made of, 64 hexadecimal digits."""
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

    def _loaded(self) -> Coder:
        with self._lock:
            if self._coder is None:
                self._coder = self._load()
            return self._coder

    def _text(self, ids: npt.NDArray[Any]) -> str:
        # Id 1 ends the text. Inside windows EOS is a symbol, and documents go on after it.
        ends = np.flatnonzero(ids == EOS_ID)
        documents = self.documents(ids[: ends[0]] if len(ends) else ids)
        return self._separator.join(document.decode("utf-8", "replace") for document in documents)

    def _encode(self, s: str | bytes) -> list[int]:
        document = s.encode("utf-8") if isinstance(s, str) else bytes(s)
        return self._encode_documents([document])[0].tolist()

    def _decode(self, ids: Sequence[int]) -> str:
        return self._text(np.asarray(ids, np.int64).reshape(-1))

    def encode_tf(self, s: tf.Tensor) -> tf.Tensor | tf.RaggedTensor:
        """Tokenise in TensorFlow, without EOS.

        Args:
          s: a document, string[], or a batch, string[B]: one call of the tokenizer for all of it,
            many times faster than document by document.

        Returns:
          int32[tokens]; for a batch a RaggedTensor, int32[B, (tokens)].
        """
        return self._encode_tf(s)

    def _encode_tf(self, s: tf.Tensor) -> tf.Tensor | tf.RaggedTensor:
        s = tf.convert_to_tensor(s, tf.string)
        if s.shape.rank is None:
            s = tf.ensure_shape(s, [])
        if s.shape.rank > 1:
            raise ValueError(
                f"encode_tf got string{s.shape.as_list()}, expected string[] or string[B]. "
                "Reshape it to one dimension."
            )

        def encode_one(document: bytes | npt.NDArray[Any]) -> Ids:
            # TensorFlow gives bytes in graphs, an object array eagerly.
            one = document.item() if isinstance(document, np.ndarray) else document
            return self._encode_documents([one])[0]

        def encode_batch(documents: npt.NDArray[Any]) -> tuple[Ids, npt.NDArray[np.int64]]:
            ids = self._encode_documents(documents.tolist())
            lengths = np.array([len(of_one) for of_one in ids], np.int64)
            return np.concatenate(ids) if ids else np.empty(0, np.int32), lengths

        if s.shape.rank == 0:
            ids = tf.numpy_function(encode_one, [s], tf.int32, stateful=False)
            ids.set_shape([None])
            return ids
        ids, lengths = tf.numpy_function(encode_batch, [s], (tf.int32, tf.int64), stateful=False)
        ids.set_shape([None])
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
        # gin deep-copies vocabularies, and workers pickle them: the coder is loaded again there.
        state = self.__dict__.copy()
        state["_coder"] = None
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BaseVocabulary)
            and type(other) is type(self)
            and self._sha256 == other._sha256
            and self.extra_ids == other.extra_ids
        )

    def __hash__(self) -> int:
        return hash((self._sha256, self.extra_ids))
