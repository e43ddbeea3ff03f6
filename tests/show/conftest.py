"""A small tokenizer, made once."""

import pytest

from equalinfo.alphabet import join
from equalinfo.codebook import Codebook
from equalinfo.m1.counts import CountModel
from equalinfo.tokenizer import Tokenizer
from tests.models import text_lines


@pytest.fixture(scope="session")
def tokenizer():
    """1,000 codes, counted in random words."""
    model = CountModel.from_symbols(join(line.encode() for line in text_lines()))
    return Tokenizer(
        Codebook.compile(model, num_codes=1000, context=model.max_context, progress=False)
    )
