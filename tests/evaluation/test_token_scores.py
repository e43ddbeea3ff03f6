"""Figures of tokenizers: by hand, and the same text through tokenizers of three makes."""

import json

import numpy as np
import pytest

from equalinfo import hugging_face
from equalinfo.alphabet import EOS
from equalinfo.cli import main
from equalinfo.codebook import Codebook
from equalinfo.codebook.shipped import DEFAULT_CODEBOOK, resolve_codebook, shipped_codebook
from equalinfo.evaluation.ngram import KneserNey
from equalinfo.evaluation.token_scores import Texts, evaluate
from equalinfo.evaluation.vocabularies import EqualInfo, load
from equalinfo.ids import ID_OFFSET
from equalinfo.tokenizer import Tokenizer
from tests.models import HashModel

WORDS = ["the fox", "a dog sat", "the end", "é ü", "fox and dog", "a b c d"]
DOCUMENTS = [f"{WORDS[i % 6]} {WORDS[i % 5]}\n{WORDS[i % 4]}".encode() for i in range(40)]


class Words:
    """Ids 0, 1, 2 for the texts of the tokens; 3 never occurs and 4 ends a document."""

    name, size, sha256 = "words", 5, None
    words = (b"one", b" two", b"x y", b"never seen")
    texts = (*(np.frombuffer(word, np.uint8) for word in words), np.array([256]))

    def encode(self, documents):
        ids = [[self.words.index(word) for word in text.split(b"|")] for text in documents]
        return np.array([id for text in ids for id in (*text, 4)], np.int32)

    def decode(self, ids):
        return [b"one| two", b"something else"]


def test_figures_by_hand():
    texts = Texts([b"one| two|one"], [b"one| two", b"x y|x y|one|one"], "")
    found = evaluate(Words(), texts)
    assert (found.codes, found.num_bytes, found.num_documents, found.num_tokens) == (5, 23, 2, 8)
    assert found.bytes_per_token == 23 / 8
    # One thrice, two once, x y twice and two ends, of 8.
    bits = 3 * np.log2(8 / 3) + 3 + 2 * 2 + 2 * 2
    assert found.entropy == pytest.approx(bits / 23)
    assert found.unused == 1 and found.crossing == 2 / 8 and found.restored == 1
    assert found.longest == [b"never seen", b" two", b"one", b"x y", b"\n"]
    train, ids = [0, 1, 0, 4], [0, 1, 4, 2, 2, 0, 0, 4]
    for order in (2, 3):
        expected = KneserNey(train, 5, order).bits(ids).sum() / 23
        assert found.ngram[order] == pytest.approx(expected)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A codebook, a SentencePiece model, a tokenizer.json, and two files of text."""
    directory = tmp_path_factory.mktemp("tokenizers")
    Codebook.compile(HashModel(order=1), num_codes=300, progress=False).save(directory / "a.eqi")
    for name, documents in (("train.jsonl", DOCUMENTS), ("text.jsonl", DOCUMENTS[3:13])):
        lines = (json.dumps({"text": text.decode()}) + "\n" for text in documents)
        (directory / name).write_text("".join(lines))
    return directory


@pytest.fixture(scope="module")
def sentencepiece_model(files):
    sentencepiece = pytest.importorskip("sentencepiece")
    texts = [line for text in DOCUMENTS for line in text.decode().split("\n")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(files / "sp"),
        vocab_size=40,
        hard_vocab_limit=False,
        byte_fallback=False,
        minloglevel=2,
    )
    return files / "sp.model"


@pytest.fixture(scope="module")
def tokenizer_json(files):
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([text.decode() for text in DOCUMENTS], trainer)
    tokenizer.enable_truncation(4)  # of a model's window: must not reach figures
    tokenizer.enable_padding(length=500)
    tokenizer.save(str(files / "tokenizer.json"))
    return files / "tokenizer.json"


def test_ids_of_a_codebook_are_codes_of_joined_documents(files):
    vocabulary = load(str(files / "a.eqi"))
    ids = vocabulary.encode(DOCUMENTS)
    tokenizer = Tokenizer.load(files / "a.eqi")
    assert ids.tolist() == (tokenizer.encode_documents(DOCUMENTS) - 3).tolist()
    assert vocabulary.decode(ids) == DOCUMENTS
    joined = b"\xff".join([*DOCUMENTS, b""])
    shown = b"".join(bytes(s if s < 256 else 255 for s in vocabulary.texts[id]) for id in ids)
    assert shown == joined


def test_texts_of_ids_are_the_text(sentencepiece_model, tokenizer_json):
    """Else words would be counted in other texts than the tokens'."""
    texts = ["the fox and a dog", "é fox"]
    for path, before in ((sentencepiece_model, b" "), (tokenizer_json, b"")):
        vocabulary = load(str(path))
        ids = vocabulary.encode([text.encode() for text in texts])
        assert ids.max() == vocabulary.size - 1 == len(vocabulary.texts) - 1
        parts = [vocabulary.texts[id].tolist() for id in ids]
        ends = [place for place, part in enumerate(parts) if part == [256]]
        shown = [
            b"".join(map(bytes, parts[: ends[0]])),
            b"".join(map(bytes, parts[ends[0] + 1 : ends[1]])),
        ]
        assert [text.removeprefix(before) for text in shown] == [text.encode() for text in texts]
        assert [text.strip() for text in vocabulary.decode(ids)] == [t.encode() for t in texts]


def test_command_compares_them(files, sentencepiece_model, tokenizer_json, capsys, tmp_path):
    arguments = [str(files / "a.eqi"), str(files / "text.jsonl"), "--train"]
    arguments += [str(files / "train.jsonl"), "--cache", str(tmp_path / "ids")]
    others = ["--compare", str(sentencepiece_model), str(tokenizer_json)]
    assert main(["evaluate", *arguments, *others, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "trained on 40 documents" in found["text"] and "scored on 10 documents" in found["text"]
    ours, _, theirs = found["tokenizers"]
    assert [one["tokenizer"] for one in found["tokenizers"]] == [
        "a.eqi",
        "sp.model",
        "tokenizer.json",
    ]
    assert ours["restored"] == ours["num_documents"] == 10
    assert theirs["crossing"] > 0 and theirs["restored"] == 10
    assert len(list((tmp_path / "ids").iterdir())) == 2  # of training and scored text
    assert main(["evaluate", *arguments, *others]) == 0
    printed = capsys.readouterr().out
    assert f"{ours['bytes_per_token']:.3f}" in printed and f"{theirs['ngram']['3']:.3f}" in printed


def test_without_training_files_the_text_is_split(files, capsys):
    texts = Texts.load([str(files / "train.jsonl")])
    assert texts.scored == DOCUMENTS[9::10] and len(texts.train) == 36
    assert "each tenth document scored (4 documents" in texts.about
    assert main(["evaluate", str(files / "a.eqi"), str(files / "text.jsonl"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tokenizers"][0]["num_documents"] == 1
    (files / "few.txt").write_text("a\nb\n")
    assert main(["evaluate", str(files / "a.eqi"), str(files / "few.txt")]) == 1
    assert "10 documents are the least" in capsys.readouterr().err


def test_text_that_is_scored_is_not_trained_on(files):
    with pytest.raises(ValueError, match=r"text\.jsonl is to be trained on and scored"):
        Texts.load([str(files / "text.jsonl")], [str(files / "*.jsonl")])


def test_text_that_is_split_is_limited(files):
    texts = Texts.load([str(files / "train.jsonl")], max_bytes=1)
    assert texts.scored == DOCUMENTS[9:10] and len(texts.train) == 36


def test_ids_kept_in_part_are_made_again(files, tmp_path):
    vocabulary = load(str(files / "a.eqi"))
    texts = Texts([b"the fox"], [b"a dog sat"], "")
    vocabulary.sha256 = "0" * 64  # as of one that is slow
    first = evaluate(vocabulary, texts, tmp_path)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 2
    for path, size in zip(kept, (0, 100), strict=True):
        path.write_bytes(path.read_bytes()[:size])
    assert evaluate(vocabulary, texts, tmp_path) == first


def test_files_that_are_not_there_are_named_by_their_option(files, capsys):
    argv = ["evaluate", str(files / "a.eqi"), str(files / "text.jsonl"), "--train", "none.json"]
    assert main(argv) == 1
    assert "--train 'none.json' fits no file" in capsys.readouterr().err


def test_text_is_limited(files):
    texts = Texts.load(
        [str(files / "text.jsonl")], [str(files / "train.jsonl")], max_bytes=1, train_bytes=60
    )
    assert texts.scored == DOCUMENTS[3:4]
    assert sum(map(len, texts.train[:-1])) < 60 <= sum(map(len, texts.train))


def test_codebooks_that_are_compiled_are_evaluated(files, capsys, tmp_path):
    arguments = ["compile", "--from-text", str(files / "train.jsonl"), "--codes", "260", "--quiet"]
    arguments += ["-o", str(tmp_path / "new.eqi"), "--evaluate", str(files / "text.jsonl")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "new.eqi: 260 codes" in printed and "trained on 40 documents" in printed
    assert "10 of 10" in printed


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.model", b"no model", "x.model is not a SentencePiece model"),
        ("x.json", b"{}", "x.json is not a tokenizer.json"),
        ("x.json.gz", b"no gzip", "x.json.gz is not a tokenizer.json"),
        ("x.eqi", b"no codebook", "x.eqi"),
    ],
)
def test_files_that_are_no_tokenizer(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load(str(tmp_path / name))


def test_names_of_the_package():
    shipped = shipped_codebook("english-65536-v1.eqi")
    assert resolve_codebook("english-65536-v1") is shipped
    assert resolve_codebook("english-65536-v1.eqi") is shipped
    assert resolve_codebook(None) is shipped_codebook(DEFAULT_CODEBOOK)
    assert isinstance(load("english-65536-v1"), EqualInfo)
    with pytest.raises(FileNotFoundError, match=r"'none\.eqi'.* which has english-16384-v2\.eqi"):
        load("none.eqi")


def test_texts_of_an_export_are_those_of_its_codebook(files, tmp_path):
    """Its special ids have names of other letters than bytes."""
    pytest.importorskip("tokenizers")
    hugging_face.export(Tokenizer.load(files / "a.eqi").codebook, tmp_path)
    ours, exported = (load(str(path)) for path in (files / "a.eqi", tmp_path / "tokenizer.json"))
    assert exported.texts[0].size == 0
    for code, text in enumerate(ours.texts):
        if not np.any(text == EOS):
            assert exported.texts[ID_OFFSET + code].tolist() == text.tolist()
