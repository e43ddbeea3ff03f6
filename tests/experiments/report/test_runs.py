"""What steps of a report are named after, and the options of their commands."""

import dataclasses

import pytest

from experiments.report import build, runs
from experiments.report.config import Config, Method
from experiments.store import Store
from pipelines.options import parse_compress


def path_of(store, method):
    config = Config.load("tiny")
    return runs.dataset(store, config, store.directory / "text-x-0123", method)


class Paths(Store):
    """Names steps, and runs none."""

    def run(self, kind, label, inputs, make):
        return self.path(kind, label, inputs)


def test_tokens_are_named_after_what_is_in_the_files_they_are_made_with(tmp_path):
    m1 = tmp_path / "m1.eqm"
    found = []
    for content in (b"one", b"two", b"one"):
        m1.write_bytes(content)
        found.append(path_of(Paths(tmp_path), Method("x", ("--method", "ac", "--m1", str(m1)))))
    assert found[0] == found[2] != found[1]
    with_equals = path_of(Paths(tmp_path), Method("x", ("--method", "ac", f"--m1={m1}")))
    m1.write_bytes(b"two")
    assert with_equals != path_of(Paths(tmp_path), Method("x", ("--method", "ac", f"--m1={m1}")))


def test_a_title_and_names_of_methods_change_nothing(tmp_path):
    names = [path_of(Paths(tmp_path), Method(name, ("--method", "bytes"))).name for name in "ab"]
    assert len({name.rpartition("-")[2] for name in names}) == 1


def test_a_run_that_is_stopped_early_has_something_for_every_section(tmp_path):
    order = []

    class Recorded(Paths):
        def run(self, kind, label, inputs, make):
            if kind in ("model", "pairs") and order[-1:] != [(kind, inputs.get("seed"))]:
                order.append((kind, inputs.get("seed")))
            return super().run(kind, label, inputs, make)

    text = tmp_path / "text.txt"
    text.write_text("some words\n")
    config = Config.load("laptop").on([str(text)], [str(text)])
    config = dataclasses.replace(config, train_bytes=1, validation_bytes=1)
    build.run_all(config, Recorded(tmp_path))
    assert order == [("model", 0), ("pairs", None), ("model", 1), ("model", 2)]


@pytest.mark.parametrize("name", ["tiny", "laptop", "gpu", "paper"])
def test_both_splits_of_a_data_set_have_one_layout(name, tmp_path):
    for method in Config.load(name).methods:
        codec = tmp_path / "codec"
        common = ["--input", "x.json", "--output", str(tmp_path / "out")]
        options = [word.replace("{", "").replace("}", "") for word in method.options]
        first = parse_compress([*common, *options])
        second = parse_compress([*common, *runs.second_split_options(options, codec)])
        assert second.codec == str(codec)
        for field in ("sequence_length", "example_bytes", "documents_per_sequence", "trim"):
            assert getattr(first.layout, field) == getattr(second.layout, field), method.name
