"""A codebook as a Hugging Face tokenizer, which loads without this package.

`tokenizers` has no model that finds longest matches in linear time: its WordPiece tries every
end of the text for every token. But the texts of a codebook are prefix-closed, so one regular
expression finds them, the trie written as nested optional groups: `a(?:b(?:c)?|d)?`. At each
place it walks down as far as it can; a walk that stops has matched a text, so nothing is ever taken
back. The pipeline is thus

  normalizer ByteLevel -> pre-tokenizer Split, by that expression -> model WordLevel, a look-up

and gives the ids of `equalinfo.Tokenizer` for every str. A str is what it takes: bytes that are no
UTF-8 cannot enter. ByteLevel writes each byte as one letter below U+0144, so whatever has a letter
above stands for no text: the names of the special ids, and the codes that hold EOS.
"""

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

from equalinfo.alphabet import EOS, NUM_SYMBOLS
from equalinfo.codebook import LONGEST, M1_PLANS, Codebook
from equalinfo.ids import EOS_ID, ID_OFFSET, PAD_ID, UNK_ID

SPECIAL_TOKENS = {"pad_token": "⟨pad⟩", "eos_token": "⟨eos⟩", "unk_token": "⟨unk⟩"}
"""Names of the special ids, in the order of their ids, under the keys of `transformers`."""

EOS_LETTER = "␄"
"""Stands for EOS inside the name of a code."""

MAX_SYMBOLS = 400
"""Of a text that can be exported."""
# Each symbol is one group deeper. Oniguruma, the engine of `tokenizers`, takes 2,000, and while it
# reads them about 2 kB of stack for each: a thread with 1 MB, as some have, dies at 1,000.

_NO_TEXT = "⟨(?:pad|eos|unk)⟩|" + EOS_LETTER


def export(codebook: Codebook, directory: str | os.PathLike[str]) -> list[Path]:
    """Write tokenizer.json, tokenizer_config.json and README.md: the same bytes for one codebook.

    Args:
      codebook: of plan best_first or interval, with texts of up to `MAX_SYMBOLS` symbols.
      directory: made if there is none; may hold other files, as those of a model.

    Returns:
      The files written.

    Raises:
      FileExistsError: the directory has one of them already.
      ValueError: of another plan or parse, or a text is too long.
    """
    files = {
        "tokenizer.json": _json(tokenizer_json(codebook)),
        "tokenizer_config.json": _json(tokenizer_config(codebook)),
        "README.md": _readme(codebook),
    }
    paths = {Path(directory) / name: text for name, text in files.items()}
    if present := [path.name for path in paths if path.exists()]:
        raise FileExistsError(
            f"{os.fspath(directory)} already has {', '.join(present)}. Name another directory, or "
            "remove what is not needed."
        )
    Path(directory).mkdir(parents=True, exist_ok=True)
    for path, text in paths.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(paths)


def tokenizer_json(codebook: Codebook) -> dict[str, Any]:
    """What `tokenizers.Tokenizer.from_file` reads.

    The special ids are not among its `added_tokens`, which would be looked for in texts.
    """
    vocabulary = {name: id for id, name in enumerate(SPECIAL_TOKENS.values())}
    for code, name in enumerate(_names(codebook)):
        vocabulary[name] = code + ID_OFFSET
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "ByteLevel"},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": longest_match_pattern(codebook)},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"Regex": _NO_TEXT}, "content": ""},
                {
                    "type": "ByteLevel",
                    "add_prefix_space": False,
                    "trim_offsets": False,
                    "use_regex": False,
                },
            ],
        },
        "model": {
            "type": "WordLevel",
            "vocab": vocabulary,
            "unk_token": SPECIAL_TOKENS["unk_token"],
        },
    }


def tokenizer_config(codebook: Codebook) -> dict[str, Any]:
    """What `transformers` wants besides."""
    return {
        # Its name in transformers 4 and 5.
        "tokenizer_class": "PreTrainedTokenizerFast",
        **SPECIAL_TOKENS,
        # A text that has the name of a special id is a text.
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
        "codebook_sha256": codebook.sha256,
    }


def longest_match_pattern(codebook: Codebook) -> str:
    """Regular expression that matches the longest text of the codebook without EOS, at any place.

    Its letters are those of ByteLevel. Likely symbols come first, since the engine tries one after
    the other: it makes encoding a fifth faster.

    Raises:
      ValueError: a codebook whose parse no pattern does, or a text of more than `MAX_SYMBOLS`
        symbols.
    """
    info = codebook.info
    if info.plan not in M1_PLANS or info.parse != LONGEST:
        raise ValueError(
            f"a codebook of plan {info.plan!r} and parse {info.parse!r} cannot be exported: the "
            f"pattern needs every prefix of a text among the texts, as plans "
            f"{' and '.join(M1_PLANS)} have, and parse {LONGEST!r}."
        )
    lengths = codebook.offsets[1:] - codebook.offsets[:-1]
    longest = int(lengths.argmax())
    if lengths[longest] > MAX_SYMBOLS:
        raise ValueError(
            f"the text of code {longest} has {lengths[longest]} symbols, of {MAX_SYMBOLS} that can "
            "be exported: the pattern is nested as deep. Compile with fewer codes."
        )
    symbols = codebook.texts[codebook.offsets[1:] - 1].tolist()
    information = codebook.information.tolist()
    letters = [_escape(letter) for letter in _alphabet()]
    children: list[list[int]] = [[] for _ in symbols]
    roots: list[int] = []
    path: list[list[int]] = [roots]  # the children of the prefixes of the text at hand
    for code, length in enumerate(lengths.tolist()):
        del path[length:]
        if symbols[code] != EOS:  # and so nothing that begins with this text
            path[-1].append(code)
        path.append(children[code])

    patterns: list[str] = [""] * len(symbols)

    def any_of(codes: list[int]) -> str:
        inner = [code for code in codes if children[code]]
        inner.sort(key=lambda code: (information[code], code))
        leaves = [letters[symbols[code]] for code in codes if not children[code]]
        choices = [patterns[code] for code in inner]
        if leaves:
            choices.append(leaves[0] if len(leaves) == 1 else f"[{''.join(leaves)}]")
        return "|".join(choices)

    for code in reversed(range(len(symbols))):  # children before parents
        more = f"(?:{any_of(children[code])})?" if children[code] else ""
        patterns[code] = letters[symbols[code]] + more
    return any_of(roots)


def _names(codebook: Codebook) -> list[str]:
    """The text of each code in the letters of ByteLevel."""
    alphabet, offsets = _alphabet(), codebook.offsets.tolist()
    letters = "".join(alphabet[symbol] for symbol in codebook.texts.tolist())
    return [letters[start:end] for start, end in pairwise(offsets)]


def _alphabet() -> list[str]:
    """The letter of each symbol: printable Latin-1 stays, other bytes take U+0100 and on."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    letters = []
    others = 0
    for byte in range(NUM_SYMBOLS - 1):
        letters.append(chr(byte) if byte in printable else chr(256 + others))
        others += byte not in printable
    return [*letters, EOS_LETTER]


def _escape(letter: str) -> str:
    """Punctuation means something in a pattern or in brackets; escaped, it means itself."""
    return "\\" + letter if letter.isascii() and not letter.isalnum() else letter


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _readme(codebook: Codebook) -> str:
    info = codebook.info
    pad, eos, unk = SPECIAL_TOKENS.values()
    return f"""# A tokenizer compiled from a language model

Its tokens are texts of about equal information under a byte-level language model, found by longest
match: a codebook of `equalinfo`, exported. Any text is restored exactly. Neither encoding nor
decoding needs that package or the model.

| | |
|---|---|
| vocab_size | {info.num_codes + ID_OFFSET} |
| codebook | `sha256:{codebook.sha256}` |
| plan | {info.plan} |
| model | `sha256:{info.made_of["m1_sha256"]}` |

```python
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("DIRECTORY")  # or PreTrainedTokenizerFast
ids = tokenizer("Any text.")["input_ids"]
assert tokenizer.decode(ids) == "Any text."
```

- It needs `tokenizers` 0.20 or later; `tokenizers.Tokenizer.from_file("tokenizer.json")` is enough.
- Ids are those of `equalinfo.Tokenizer` with the same codebook: code + {ID_OFFSET}.
- {PAD_ID} is `{pad}`, {EOS_ID} `{eos}`, {UNK_ID} `{unk}`. No text gives them, not even these names;
  give ids where a model needs them. They decode to nothing, whatever `skip_special_tokens` is.
- Special tokens that you add are found in texts after `tokenizer.split_special_tokens = False`,
  and then `{pad}`, `{eos}` and `{unk}` are, too.
- `{EOS_LETTER}` in a token is the end of a document. No text gives such a token; a model trained on
  documents joined by EOS may. It decodes to nothing.
- Text goes in as str: bytes that are not UTF-8 cannot.
"""
