"""A SeqIO vocabulary over a codec directory: text <-> the token ids of any compression method.

The codec is loaded when text is first encoded or decoded, not before: registering tasks, and
training on records, load none.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo import alphabet, codecs
from equalinfo.codecs.base import CODEC_FILE, Codec
from equalinfo.data import storage
from equalinfo.ids import EOS_ID, ID_OFFSET, UNK_ID
from tasks.base_vocabulary import BaseVocabulary, Ids

_log = logging.getLogger(__name__)


def read_codec_json(directory: str) -> dict[str, Any]:
    """The description of a codec: method, options, sha256 of each asset.

    Args:
      directory: local or remote (gs://...), with a codec.json.
    """
    path = f"{directory.rstrip('/')}/{CODEC_FILE}"
    try:
        content = json.loads(storage.read_text(path))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} does not exist: {directory} is no codec directory. A data set has its own in "
            "DIR/codec; `equalinfo.codecs.create(...).save(DIR)` makes one."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is a JSON {type(content).__name__}, expected an object.")
    return content


def codec_fingerprint(description: Mapping[str, Any]) -> str:
    """sha256 of a codec's description: equal for codecs that give the same tokens."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode("utf-8")).hexdigest()


class CodecVocabulary(BaseVocabulary[Codec]):
    """Ids of a codec: 0 pad, 1 eos, 2 unk, then the codes.

    Ids may be cut anywhere: of a window without all of its tokens nothing is decoded. What cannot
    be decoded so: `ac` and `static_ac` (they need the number of symbols), the middle of a `gzip`
    stream, and, to the right text, the middle of an example where M1 is not reset at every window.
    Methods that are not lossless give their decoder's best guess.
    """

    def __init__(
        self,
        directory: str,
        vocab_size: int | None = None,
        extra_ids: int = 0,
        document_separator: str = "\n",
    ) -> None:
        """Read the description of the codec, and nothing else.

        Args:
          directory: a codec directory, such as DIR/codec of a data set; may be remote (gs://...).
          vocab_size: of the codec, as the manifest has it; None loads the codec to ask for it.
          extra_ids: ids added after the codec's, for sentinels.
          document_separator: what `decode` writes between documents.
        """
        self._directory = str(directory)
        description = read_codec_json(self._directory)
        super().__init__(codec_fingerprint(description), extra_ids, document_separator)
        self._method = str(description["method"])
        self._options: Mapping[str, Any] = description.get("options", {})
        self._assets: Mapping[str, str] = description.get("assets", {})
        self._vocab_size = vocab_size

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
        return self._assets

    @property
    def method(self) -> str:
        """The compression method."""
        return self._method

    @property
    def eos_in_stream(self) -> bool:
        """The id 1 ends documents; otherwise a symbol inside windows does."""
        return codecs.codec_of(self._method).eos_is_id

    @property
    def tokens_per_window(self) -> int | None:
        """Tokens of one window; None where there are no windows, or tokens cross their ends."""
        return codecs.codec_of(self._method).tokens_per_window(self._options)

    @property
    def codec(self) -> Codec:
        """The codec, loaded (and its assets verified) on first use."""
        return self._loaded()

    def documents(self, ids: Sequence[int] | Ids) -> list[bytes]:
        """See `BaseVocabulary.documents`.

        Raises:
          ValueError: the method cannot decode without the number of symbols.
        """
        return alphabet.split(self._symbols(np.asarray(ids).reshape(-1)))

    def _load(self) -> Codec:
        codec = self._read()
        if self._vocab_size not in (None, codec.vocab_size):
            raise ValueError(
                f"the codec in {self._directory} has {codec.vocab_size} ids, but "
                f"vocab_size={self._vocab_size} was expected. Use the codec of the data set."
            )
        if not codec.lossless:
            _log.warning("Method %r is not lossless: decoded text is a best guess.", self._method)
        return codec

    def _read(self) -> Codec:
        with storage.local_copy(self._directory) as local:
            return codecs.load(local)

    def _symbols(self, ids: npt.NDArray[Any]) -> alphabet.Symbols:
        if codecs.codec_of(self._method).needs_lengths:
            raise ValueError(
                f"method {self._method!r} cannot decode ids alone: it needs the number of symbols "
                "of each example. Use equalinfo.codecs.load(DIR).decode(ids, lengths), or "
                "equalinfo.dataset.restore for a whole data set."
            )
        lowest = EOS_ID if self.eos_in_stream else ID_OFFSET
        real = ids[(ids >= lowest) & (ids != UNK_ID) & (ids < self._base_vocab_size)]
        real = self.codec.whole(real.astype(np.int32))
        if not len(real):
            return np.empty(0, np.uint16)
        return self.codec.decode([real], None, allow_errors=True)[0]

    def _encode_documents(self, documents: list[bytes]) -> list[Ids]:
        symbols = [np.frombuffer(data, np.uint8).astype(np.uint16) for data in documents]
        return [encoded.ids for encoded in self.codec.encode(symbols)]

    def __str__(self) -> str:
        return (
            f"CodecVocabulary(method={self._method}, sha256={self.sha256[:12]}, "
            f"vocab_size={self._vocab_size}, extra_ids={self.extra_ids})"
        )
