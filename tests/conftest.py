"""Settings of all tests. The environment is set before any test module imports what reads it."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Through the environment, so that JAX need not be imported here, nor installed.
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Compiling takes most of the time of tests with JAX: what one compiled, others and the processes
# they start find there.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="equalinfo-tests-jax-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

# deadline=None: the first example of a test compiles numba or JAX code, which takes seconds.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The C4-like text beside the checkout, which no clone brings; tests that need it skip."""
    directory = ROOT.parent / "shared" / "data"
    if not (directory / "validation").is_dir():
        pytest.skip("needs the C4-like text in ../shared/data, beside the checkout")
    return directory


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("equalinfo")
    group.addoption("--size", type=int, default=1, help="tests `at size` take so many times more")
    group.addoption("--text", help="glob of text for tests `at size`; default: the demo's")


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> int:
    """How many times the usual a test at size takes: megabytes, files, contexts."""
    number: int = request.config.getoption("--size")
    return number


@pytest.fixture(scope="session")
def much_text(request: pytest.FixtureRequest) -> Any:
    """Symbols of documents joined with EOS, uint16[n], for tests at size."""
    from equalinfo.alphabet import join
    from equalinfo.data.options import TextOptions

    pattern = request.config.getoption("--text") or str(ROOT / "demo" / "text" / "train-*.json.gz")
    return join(TextOptions().documents([pattern]))


@pytest.fixture(scope="session")
def train_sentencepiece(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Function: train a tiny SentencePiece model on `text_lines`, return its path."""
    spm = pytest.importorskip("sentencepiece")
    from tests.models import text_lines

    def train(**options: object) -> Path:
        prefix = tmp_path_factory.mktemp("sentencepiece") / "tiny"
        settings = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1, "minloglevel": 2}
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(text_lines()), model_prefix=str(prefix), **settings | options
        )
        return prefix.with_suffix(".model")

    return train


@pytest.fixture(scope="session")
def lossless_model(train_sentencepiece: Callable[..., Path]) -> Path:
    """A SentencePiece model that restores everything."""
    return train_sentencepiece(
        vocab_size=320,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
    )


@pytest.fixture(scope="session")
def normalising_model(train_sentencepiece: Callable[..., Path]) -> Path:
    """A SentencePiece model with the usual options."""
    return train_sentencepiece(vocab_size=50)
