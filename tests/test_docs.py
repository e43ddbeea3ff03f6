"""Examples that people copy must run."""

import doctest
import re
from pathlib import Path

import equalinfo.tokenizer

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_tokenizer_docstring() -> None:
    assert doctest.testmod(equalinfo.tokenizer) == doctest.TestResults(failed=0, attempted=4)


def test_the_tokenizer_example_of_the_readme(capsys) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    example = next(block for block in blocks if "Tokenizer.default()" in block)
    exec(compile(example, str(README), "exec"), {})
    assert capsys.readouterr().out == "Any text, or bytes.\n"
