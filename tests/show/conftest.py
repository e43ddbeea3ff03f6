"""A small tokenizer and small SentencePiece models, made once."""

import random

import pytest

from equalinfo.alphabet import join
from equalinfo.codebook import Codebook
from equalinfo.m1.counts import CountModel
from equalinfo.tokenizer import Tokenizer

WORDS = "the quick brown fox jumps over the lazy dog and then été naïve 日本 hello world of in to"


def lines(count=300):
    generator = random.Random(0)
    return [" ".join(generator.choices(WORDS.split(), k=12)) for _ in range(count)]


@pytest.fixture(scope="session")
def tokenizer():
    """1,000 codes, counted in random words."""
    model = CountModel.from_symbols(join(line.encode() for line in lines()))
    return Tokenizer(
        Codebook.compile(model, num_codes=1000, context=model.max_context, progress=False)
    )


@pytest.fixture(scope="session")
def train_sentencepiece(tmp_path_factory):
    """Function: train a tiny SentencePiece model, return its path."""
    spm = pytest.importorskip("sentencepiece")

    def train(**options):
        prefix = tmp_path_factory.mktemp("sentencepiece") / "tiny"
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(lines()), model_prefix=str(prefix), minloglevel=2, **options
        )
        return prefix.with_suffix(".model")

    return train


@pytest.fixture(scope="session")
def lossless_model(train_sentencepiece):
    """A Unigram model that restores everything."""
    return train_sentencepiece(
        vocab_size=320,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
    )


@pytest.fixture(scope="session")
def normalising_model(train_sentencepiece):
    """A Unigram model with the usual options."""
    return train_sentencepiece(vocab_size=50)
