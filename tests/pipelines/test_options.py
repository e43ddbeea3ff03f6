"""Command lines: what is mistyped or does not fit together is an error, never ignored."""

import re
import sys
from typing import Any

import pytest

from equalinfo.data.options import TextOptions
from pipelines.executors.beam import Beam
from pipelines.executors.local import Local
from pipelines.options import parse_compress, parse_count
from pipelines.shard import Layout
from pipelines.verify import parse_verify

BASE = ["--input", "in/*.json.gz", "--output", "out"]


def _error(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    with pytest.raises(SystemExit) as caught:
        parse_compress([*BASE, *flags])
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("parse", [parse_compress, parse_count, parse_verify])
def test_help_is_shown(parse: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "--input" in shown and "%%" not in shown


def test_defaults() -> None:
    options = parse_compress([*BASE, "--m1", "m1.safetensors"])
    assert options.source.input == ("in/*.json.gz",)
    assert options.method == "equal_info"
    assert options.codec_options == {"model": "m1.safetensors"}
    assert options.layout == Layout(
        split="train", sequence_length=512, example_bytes=10_240, documents_per_sequence=128,
        trim="none", verify=False, format="tfrecord",
    )  # fmt: skip
    assert options.source.text == TextOptions()
    assert options.source.text.limits.max_reject_fraction == 0.001
    assert options.executor == Local(1)


def test_codec_options_are_passed_on() -> None:
    flags = ["--window_bits", "24", "--token_bits", "12", "--delay", "--m1_reset", "0"]
    options = parse_compress([*BASE, "--method", "equal_info_ac", "--m1", "m1", *flags])
    assert options.codec_options == {
        "model": "m1",
        "window_bits": 24,
        "token_bits": 12,
        "delay": True,
        "m1_reset": 0,
    }
    options = parse_compress([*BASE, "--method", "gzip", "--no-gzip_header"])
    assert options.codec_options == {"header": False}
    assert parse_compress([*BASE, "--codec", "c"]).method is None


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--method=gzip", "--windowbits=16"], "unknown option --windowbits=16"),
        (["--method=gzip", "--work=2"], "unknown option --work=2"),
        (["--method=gzip", "--token_bit", "8"], "unknown option --token_bit"),
        (["--method=zip"], "invalid choice: 'zip'"),
        (["--method=gzip", "--workers=0"], "0 is not positive"),
        (["--method=gzip", "--max_reject_fraction=1.5"], "1.5 is not in 0..1"),
        (["--method=gzip", "--split=a/b"], "letters, digits and _ only"),
        (["--method=gzip", "--example_bytes=3"], "example_bytes=3 is less than 4"),
        (["--method=gzip", "--delay"], "--delay is not for --method=gzip"),
        (["--method=bytes", "--token_bits=8"], "--token_bits is not for --method=bytes"),
        (["--method=static_ac", "--m1=x"], "--m1 is not for --method=static_ac"),
        (["--method=static_ac"], "needs --static FILE. Count it from the text first: python -m"),
        (["--no-progress"], "--no-progress was renamed: use --quiet."),
        (["--progress"], "--progress was renamed: use --quiet for no bar."),
        (["--method=ac", "--m1_context=9"], "--m1_context was renamed: use --context."),
        (["--method=gzip", "--plan=interval"], "--plan is not for --method=gzip"),
        (["--method=sentencepiece"], "needs --sentencepiece FILE"),
        (["--codec=c", "--method=gzip"], "--method and --codec exclude each other"),
        (["--codec=c", "--m1=x"], "--m1 and --codec exclude each other"),
        (["--method=gzip", "--runner=DaskRunner"], "DaskRunner is refused"),
        (
            ["--method=gzip", "--runner=direct", "--direct_running_mode=multi_threading"],
            "loses data in silence",
        ),
        (["--method=gzip", "--project=p"], "options of Beam go with --runner"),
        (
            ["--method=gzip", "--runner=DataflowRunner", "--workers=2"],
            "--workers excludes --runner",
        ),
        (["--method=gzip", "--runner=DataflowRunner", "--projekt=x"], "unknown option --projekt"),
    ],
)
def test_errors(capsys: pytest.CaptureFixture[str], flags: list[str], message: str) -> None:
    assert message in _error(capsys, *flags)


def test_other_runners_get_their_own_options() -> None:
    flags = ["--project", "p", "--region=r", "--num_workers=3", "--sdk_container_image=i"]
    paths = ["--input=gs://b/*.json", "--output=gs://b/out"]
    options = parse_compress([*paths, "--method=gzip", "--runner", "DataflowRunner", *flags])
    assert options.executor == Beam("DataflowRunner", tuple(flags))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--task_index=1"], "go together"),
        (["--num_tasks=1"], "go together"),
        (["--task_index=3", "--num_tasks=3"], r"--task_index=3 is not in 0\.\.2"),
        (["--task_index=-1", "--num_tasks=3"], r"--task_index=-1 is not in 0\.\.2"),
        (["--task_index=0", "--num_tasks=3", "--workers=2"], "--workers excludes --task_index"),
        (["--task_index=0", "--num_tasks=3", "--dask=a"], "--task_index excludes --dask"),
        (["--task_index=0", "--num_tasks=3", "--runner=direct"], "--task_index excludes --runner"),
        (["--dask=a", "--spread=files"], "--dask excludes --spread"),
        (["--format=csv"], "invalid choice: 'csv'"),
    ],
)
def test_executors_that_exclude_each_other(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse_compress([*BASE, "--method=gzip", *flags])
    assert re.search(message, capsys.readouterr().err)


def test_direct_runner_means_the_one_that_downloads_nothing() -> None:
    for name in ("DirectRunner", "direct", "FnApiRunner"):
        assert Beam(name).checked([], []) == Beam("FnApiRunner")


def test_count() -> None:
    options = parse_count(["--input", "a", "b", "--output", "f", "--workers", "2"])
    assert options.source.input == ("a", "b")
    assert (options.precision, options.executor) == (14, Local(2))


@pytest.mark.parametrize("precision", ["-1", "8", "21"])
def test_count_refuses_a_precision_before_it_counts(
    precision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_count([*BASE, "--precision", precision])
    assert caught.value.code == 2
    assert f"error: --precision={precision} is outside 9..20" in capsys.readouterr().err


def test_what_beam_needs_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "apache_beam.options.pipeline_options", None)
    with pytest.raises(SystemExit):
        parse_compress(["--input=a", "--output=b", "--runner=DirectRunner"])
    assert "--runner needs Apache Beam" in capsys.readouterr().err


def test_a_number_of_threads_that_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EQUALINFO_THREADS", "abc")
    with pytest.raises(SystemExit):
        parse_compress(["--input=a", "--output=b", "--workers=2", "--method=bytes"])
    assert "EQUALINFO_THREADS='abc' is not a number of threads" in capsys.readouterr().err
