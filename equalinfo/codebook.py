"""The compiled tokenizer: every text that a window of the exact code can hold, as a table.

Coder and M1 restart at each window, so the texts that fit W bits form a finite trie of exactly 2^W
nodes, the root not counted, and each node is one code. Enumerated once from M1, encoding is a walk
to the longest match and decoding a look-up: no M1, no floats. The codes are those of the streaming
coder (`equalinfo.coding.exact`), bit for bit.

In code order the texts are the trie in lexicographic preorder: a node's own code is the first point
of its interval, and its children follow in symbol order.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS, Symbols, as_symbols
from equalinfo.enumeration import enumerate_texts
from equalinfo.frequencies import check_precision
from equalinfo.m1.base import FrequencyModel
from equalinfo.trie import check_preorder, concatenate, index_children, longest_matches

FORMAT = "equalinfo.codebook"
FORMAT_VERSION = 1
MIN_WINDOW_BITS, MAX_WINDOW_BITS = 9, 20

Codes = npt.NDArray[np.uint32]

# What safetensors raises for a type that NumPy lacks, and json for very deep nesting.
_FOREIGN_FILE_ERRORS = (AttributeError, TypeError, RecursionError)


@dataclass(frozen=True)
class CodebookInfo:
    """Where a codebook comes from.

    Attributes:
      window_bits: W; there are 2^W codes.
      precision: P of the frequencies it was compiled from.
      m1_sha256: of the M1 that gave them.
      m1_context: symbols of left context M1 saw.
      float_border: M1's frequencies come from floats; the file is what makes them portable.
    """

    window_bits: int
    precision: int
    m1_sha256: str
    m1_context: int
    float_border: bool


class Codebook:
    """Texts and codes of one compiled M1.

    Attributes:
      info: how it was made.
      texts: uint16[total symbols], the texts of all codes in code order.
      offsets: int64[num_codes + 1]; code c stands for texts[offsets[c]:offsets[c + 1]].
      sha256: of all of the above.
    """

    def __init__(
        self, info: CodebookInfo, texts: npt.NDArray[np.uint16], offsets: npt.NDArray[np.int64]
    ) -> None:
        """Check the table and build the trie. `compile` and `load` are the ways to get one.

        Raises:
          ValueError: the table is not the preorder of a trie of 2^W nodes with all 257 symbols.
        """
        check_window_bits(info.window_bits)
        check_precision(info.precision)
        self.info = info
        self.texts = np.ascontiguousarray(texts, np.uint16)
        self.offsets = np.ascontiguousarray(offsets, np.int64)
        parents = check_preorder(self.texts, self.offsets, 1 << info.window_bits)
        self._children = index_children(self.texts, self.offsets, parents)
        self.sha256 = _content_sha256(info, self.texts, self.offsets)

    @classmethod
    def compile(
        cls,
        model: FrequencyModel,
        window_bits: int = 16,
        *,
        context: int | None = None,
        lanes: int = 512,
        progress: bool = True,
    ) -> Self:
        """Enumerate the exact code's windows under a model.

        Args:
          model: M1; asked once for each text whose interval has two points or more.
          window_bits: W, 9..20.
          context: symbols of left context M1 sees; default 4 W.
          lanes: texts that M1 evaluates together. The result does not depend on it.
          progress: draw a bar.
        """
        check_window_bits(window_bits)
        context = 4 * window_bits if context is None else context
        texts, offsets = enumerate_texts(model, window_bits, context, lanes, progress)
        info = CodebookInfo(
            window_bits, model.precision, model.sha256, context, bool(model.float_border)
        )
        return cls(info, texts, offsets)

    @property
    def num_codes(self) -> int:
        """2^W."""
        return len(self.offsets) - 1

    @property
    def window_bits(self) -> int:
        """W."""
        return self.info.window_bits

    def encode(self, symbols: Symbols) -> Codes:
        """Cut a text into windows and code them.

        Args:
          symbols: uint16[n], 0..256.

        Returns:
          uint32[windows], codes below 2^W.
        """
        symbols = as_symbols(symbols)
        codes = np.empty(len(symbols), np.uint32)
        windows = longest_matches(symbols, *self._children, codes)
        return codes[:windows].copy()

    def decode(self, codes: npt.ArrayLike) -> Symbols:
        """Undo `encode`: any codes in any order decode, uint16[n]."""
        checked = self._check_codes(codes)
        symbols = np.empty(int(self.lengths(checked).sum()), np.uint16)
        concatenate(checked, self.texts, self.offsets, symbols)
        return symbols

    def lengths(self, codes: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Symbols that each code stands for, int64[codes]."""
        checked = self._check_codes(codes)
        return self.offsets[checked + 1] - self.offsets[checked]

    def text(self, code: int) -> Symbols:
        """The symbols of one code, uint16[n], n >= 1."""
        return self.decode([code])

    def _check_codes(self, codes: npt.ArrayLike) -> npt.NDArray[np.int64]:
        checked = np.asarray(codes)
        if checked.ndim != 1 or (checked.size and checked.dtype.kind not in "iu"):
            raise ValueError(
                f"codes are {checked.dtype}{list(checked.shape)}, expected integers[windows]."
            )
        wrong = (checked < 0) | (checked >= self.num_codes)
        if np.any(wrong):
            place = int(np.argmax(wrong))
            raise ValueError(
                f"code {int(checked[place])} at place {place} is not in 0..{self.num_codes - 1}."
            )
        return checked.astype(np.int64)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the `.eqi` file: the same bytes for the same codebook."""
        from safetensors.numpy import save_file

        header = {**_header(self.info), "sha256": self.sha256}
        unfinished = Path(f"{os.fspath(path)}.{os.getpid()}.tmp")
        # One metadata key: safetensors writes several in random order.
        save_file(
            {"texts": self.texts, "offsets": self.offsets},
            unfinished,
            metadata={"equalinfo": json.dumps(header, sort_keys=True)},
        )
        unfinished.replace(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a `.eqi` file and check all of it.

        Raises:
          ValueError: not a codebook, of another format version, or damaged.
        """
        header, tensors = _read_file(path)
        try:
            info = _info(header)
            codebook = cls(info, tensors["texts"], tensors["offsets"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"codebook {os.fspath(path)} is damaged: {error}") from error
        if codebook.sha256 != header.get("sha256"):
            raise ValueError(
                f"codebook {os.fspath(path)} is damaged: its content has "
                f"sha256:{codebook.sha256[:12]}.., its header says "
                f"sha256:{str(header.get('sha256'))[:12]}.. Get the file again."
            )
        return codebook


def check_window_bits(window_bits: int) -> None:
    """Raise a ValueError unless a codebook of `window_bits` can be enumerated."""
    if not MIN_WINDOW_BITS <= window_bits <= MAX_WINDOW_BITS:
        raise ValueError(
            f"window_bits={window_bits} is not in {MIN_WINDOW_BITS}..{MAX_WINDOW_BITS}: a codebook "
            f"has 2^window_bits texts, at least the {NUM_SYMBOLS} symbols. Use the streaming coder "
            "(equalinfo.coding) for wider windows."
        )


def _header(info: CodebookInfo) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "plan": "interval",
        "window_bits": info.window_bits,
        "precision": info.precision,
        "m1_sha256": info.m1_sha256,
        "m1_context": info.m1_context,
        "float_border": info.float_border,
    }


def _info(header: dict[str, Any]) -> CodebookInfo:
    for name, kind in (
        ("window_bits", int),
        ("precision", int),
        ("m1_sha256", str),
        ("m1_context", int),
        ("float_border", bool),
    ):
        if type(header[name]) is not kind:
            raise ValueError(
                f"header field {name!r} is {header[name]!r}, expected {kind.__name__}."
            )
    if header["plan"] != "interval":
        raise ValueError(f"plan {header['plan']!r} is unknown to this version of equalinfo.")
    return CodebookInfo(
        header["window_bits"],
        header["precision"],
        header["m1_sha256"],
        header["m1_context"],
        header["float_border"],
    )


def _content_sha256(
    info: CodebookInfo, texts: npt.NDArray[np.uint16], offsets: npt.NDArray[np.int64]
) -> str:
    digest = hashlib.sha256(json.dumps(_header(info), sort_keys=True).encode())
    digest.update(offsets.astype("<i8").tobytes())
    digest.update(texts.astype("<u2").tobytes())
    return digest.hexdigest()


def _read_file(
    path: str | os.PathLike[str],
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    name = os.fspath(path)
    if not os.path.isfile(name):
        raise FileNotFoundError(f"codebook {name} does not exist.")
    try:
        with safe_open(name, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get("equalinfo", "null"))
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise ValueError(f"{name} is a safetensors file, but not a codebook of equalinfo.")
            if header.get("format_version") != FORMAT_VERSION:
                raise ValueError(
                    f"codebook {name} has format version {header.get('format_version')!r}, this "
                    f"equalinfo reads {FORMAT_VERSION}. Compile it again, or change the version."
                )
            tensors = {key: file.get_tensor(key) for key in sorted(file.keys())}
    except (SafetensorError, json.JSONDecodeError, *_FOREIGN_FILE_ERRORS) as error:
        raise ValueError(f"{name} is not a codebook, or it is damaged: {error}") from error
    found = {key: (str(tensor.dtype), tensor.ndim) for key, tensor in tensors.items()}
    expected = {"offsets": ("int64", 1), "texts": ("uint16", 1)}
    if found != expected:
        raise ValueError(f"codebook {name} is damaged: it holds {found}, expected {expected}.")
    return header, tensors
