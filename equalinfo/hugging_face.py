"""A codebook as a Hugging Face tokenizer, which loads without this package.

Two pipelines of `tokenizers` give the ids of `equalinfo.Tokenizer` for every str:

  longest  normalizer ByteLevel -> pre-tokenizer Split by a regular expression -> model WordLevel
  fewest   normalizer ByteLevel -> pre-tokenizer Split into pieces -> model Unigram

`longest`: `tokenizers` has no model that finds longest matches in linear time, its WordPiece tries
every end of the text for every token. But one regular expression finds them, the trie written as
nested groups: `a(?:b(?:c)?|d)?` for a, ab, abc and ad. A group is optional where a text ends, so
`a(?:bc)?` if ab is none. What a node goes on with differs in the first letter, so a walk is the
only one; where it stops, the engine goes back to the last text it passed.

`fewest`: the scores of Unigram are the costs, negated. They are integers below 2^16 and a piece
has 2^14 of them at most, so their sums are exact in float64. Its Viterbi goes through the begins of
tokens from left to right and replaces the best way to a place only by a strictly better one: of
equal ones that whose last token begins first stays, the longest. That is the rule of this parse.
Every letter is a token, so its unknown token never comes up.

A str is what they take: bytes that are no UTF-8 cannot enter. ByteLevel writes each byte as one
letter below U+0144, so a piece of 2^14 letters is one of 2^14 bytes, and whatever has a letter
above stands for no text: the names of the special ids, and the codes that hold EOS.
"""

import itertools
import json
import os
from contextlib import ExitStack
from typing import Any

import numpy as np

from equalinfo.alphabet import EOS
from equalinfo.codebook import Codebook, trie
from equalinfo.codebook.limits import FEWEST
from equalinfo.codebook.plain import PIECE
from equalinfo.data import storage
from equalinfo.ids import EOS_ID, ID_OFFSET, PAD_ID, UNK_ID

SPECIAL_TOKENS = {"pad_token": "⟨pad⟩", "eos_token": "⟨eos⟩", "unk_token": "⟨unk⟩"}
"""Names of the special ids, in the order of their ids, under the keys of `transformers`."""

EOS_LETTER = "␄"
"""Stands for EOS inside the name of a code."""

MAX_SYMBOLS = 400
"""Of a text that parse `longest` can be exported with."""
# Each symbol is one group deeper. Oniguruma, the engine of `tokenizers`, takes 2,000, and while it
# reads them about 2 kB of stack for each: a thread with 1 MB, as some have, dies at 1,000.

_PIECES = f"(?m:.{{1,{PIECE}}})"
# No letter is a line break, but Oniguruma has a fast path only for a dot that takes those, too:
# without (?m) it is a hundred times slower.

_NO_TEXT = "⟨(?:pad|eos|unk)⟩|" + EOS_LETTER


def export(codebook: Codebook, directory: str | os.PathLike[str]) -> list[str]:
    """Write tokenizer.json, tokenizer_config.json and README.md: the same bytes for one codebook.

    Args:
      codebook: of parse fewest, or with texts of up to `MAX_SYMBOLS` symbols.
      directory: made if there is none; may hold other files, as those of a model.

    Returns:
      The files written.

    Raises:
      FileExistsError: the directory has one of them already.
      ValueError: of parse longest, and a text is too long.
    """
    files = {
        "tokenizer.json": _json(tokenizer_json(codebook)),
        "tokenizer_config.json": _json(tokenizer_config(codebook)),
        "README.md": _readme(codebook),
    }
    paths = {storage.join(os.fspath(directory), name): text for name, text in files.items()}
    if present := [storage.base_name(path) for path in paths if storage.exists(path)]:
        raise FileExistsError(
            f"{os.fspath(directory)} already has {', '.join(present)}. Name another directory, or "
            "remove what is not needed."
        )
    # All or none: each is renamed when it is complete, the largest first.
    with ExitStack() as stack:
        for path, text in reversed(paths.items()):
            stack.enter_context(storage.create(path)).write(text.encode())
    return list(paths)


def tokenizer_json(codebook: Codebook) -> dict[str, Any]:
    """What `tokenizers.Tokenizer.from_file` reads.

    The special ids are not among its `added_tokens`, which would be looked for in texts.
    """
    names = [*SPECIAL_TOKENS.values(), *_names(codebook)]
    if codebook.info.parse == FEWEST:
        # The special ids need some score; those that no text has change nothing.
        scores = [0] * ID_OFFSET + (-codebook.costs).tolist()
        pattern = _PIECES
        model = {
            "type": "Unigram",
            "unk_id": UNK_ID,
            "vocab": [list(entry) for entry in zip(names, scores, strict=True)],
            "byte_fallback": False,
        }
    else:
        pattern = longest_match_pattern(codebook)
        model = {
            "type": "WordLevel",
            "vocab": {name: id for id, name in enumerate(names)},
            "unk_token": SPECIAL_TOKENS["unk_token"],
        }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "ByteLevel"},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": pattern},
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
        "model": model,
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
      ValueError: a text of more than `MAX_SYMBOLS` symbols.
    """
    lengths = codebook.symbol_lengths
    longest = int(lengths.argmax())
    if lengths[longest] > MAX_SYMBOLS:
        raise ValueError(
            f"the text of code {longest} has {lengths[longest]} symbols, of {MAX_SYMBOLS} that can "
            "be exported for parse 'longest': the pattern is nested as deep. Compile with fewer "
            "codes."
        )
    tree = trie.build(codebook.texts, codebook.offsets, codebook.num_codes)
    letters = [_escape(letter) for letter in _alphabet()]
    own = [letters[symbol] for symbol in tree.symbols.tolist()]
    codes = tree.codes.tolist()
    children: list[list[int]] = [[] for _ in own]
    roots: list[int] = []
    for node in np.flatnonzero(tree.symbols != EOS).tolist():  # and so nothing that EOS is in
        parent = tree.parents[node]
        (roots if parent < 0 else children[parent]).append(node)

    # Of its own text, or of the likeliest that begins with it.
    information = np.where(tree.codes < 0, 0, codebook.information[tree.codes]).tolist()
    patterns: list[str] = [""] * len(own)  # of a node that no text without EOS begins with

    def any_of(nodes: list[int]) -> list[str]:
        inner = [node for node in nodes if patterns[node] != own[node]]
        inner.sort(key=lambda node: (information[node], node))
        leaves = [own[node] for node in nodes if patterns[node] == own[node]]
        choices = [patterns[node] for node in inner]
        if leaves:
            choices.append(leaves[0] if len(leaves) == 1 else f"[{''.join(leaves)}]")
        return choices

    for node in reversed(range(len(own))):  # children before parents
        children[node] = [child for child in children[node] if patterns[child]]
        choices = any_of(children[node])
        more = "|".join(choices)
        if codes[node] >= 0:
            patterns[node] = own[node] + (f"(?:{more})?" if more else "")
        elif more:
            information[node] = min(information[child] for child in children[node])
            patterns[node] = own[node] + (f"(?:{more})" if len(choices) > 1 else more)
    return "|".join(any_of(roots))


def _names(codebook: Codebook) -> list[str]:
    """The text of each code in the letters of ByteLevel."""
    alphabet, offsets = _alphabet(), codebook.offsets.tolist()
    letters = "".join(alphabet[symbol] for symbol in codebook.texts.tolist())
    return [letters[start:end] for start, end in itertools.pairwise(offsets)]


def byte_letters() -> list[str]:
    """The letter of each byte in byte-level vocabularies, as GPT-2 writes them.

    Bytes that are printable stand for themselves, the others follow from U+0100 on, in order.
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = map(chr, itertools.count(256))
    return [chr(byte) if byte in printable else next(others) for byte in range(256)]


def _alphabet() -> list[str]:
    """The letter of each symbol."""
    return [*byte_letters(), EOS_LETTER]


def _escape(letter: str) -> str:
    """Punctuation means something in a pattern or in brackets; escaped, it means itself."""
    return "\\" + letter if letter.isascii() and not letter.isalnum() else letter


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _readme(codebook: Codebook) -> str:
    info = codebook.info
    pad, eos, unk = SPECIAL_TOKENS.values()
    made_of = "".join(f"| {name} | {value} |\n" for name, value in sorted(info.made_of.items()))
    found = {FEWEST: "as the spelling of fewest bits"}.get(info.parse, "by longest match")
    return f"""# A tokenizer of texts of about equal information

Its tokens are found {found}: a codebook of `equalinfo`, exported. Any text is restored exactly.
Neither encoding nor decoding needs that package.

| | |
|---|---|
| vocab_size | {info.num_codes + ID_OFFSET} |
| codebook | `sha256:{codebook.sha256}` |
| plan | {info.plan} |
| parse | {info.parse} |
{made_of}
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
