"""A dataset on gs:// is the one that a local run writes; what overwriting and resuming leave there.

Against an emulator: it has no latency, no quotas and no permissions.
"""

import sys
from pathlib import Path

import pytest

from fake_cloud import BUCKET, FakeCloud

pytest.importorskip("apache_beam")

from equalinfo.data import storage
from pipelines import compress


@pytest.fixture(scope="module")
def local(inputs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The dataset of a local run: file -> content."""
    output = tmp_path_factory.mktemp("local") / "out"
    assert compress_text(str(inputs[0].parent / "*.gz"), str(output)) == 0
    files = [path for path in output.rglob("*") if path.is_file()]
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in files}


def compress_text(source: str, output: str, *options: str) -> int:
    base = ["--method=gzip", "--quiet", "--input", source, "--output", output]
    return compress.main([*base, *options])


@pytest.fixture
def source(in_cloud: FakeCloud, inputs: list[Path]) -> str:
    for path in inputs:
        in_cloud.upload(f"in/{path.name}", path.read_bytes())
    return f"gs://{BUCKET}/in/*.json.gz"


def test_the_files_are_those_of_a_local_run(
    in_cloud: FakeCloud, source: str, local: dict[str, bytes]
) -> None:
    assert len([name for name in local if "tfrecord" in name]) == 2
    assert compress_text(source, f"gs://{BUCKET}/same") == 0
    assert in_cloud.objects("same/") == local


def test_overwriting_replaces_all_and_only_the_split(
    in_cloud: FakeCloud, source: str, local: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    output = f"gs://{BUCKET}/over"
    neighbour = in_cloud.upload("over2/train.tfrecord-00000-of-00002", b"of another dataset")
    assert compress_text(source, output) == 0
    assert compress_text(source, output) == 0
    assert "nothing to do" in capsys.readouterr().out
    in_cloud.upload("over/train.tfrecord-00002-of-00003", b"of an earlier run with more inputs")
    assert compress_text(source, output, "--overwrite") == 0
    assert in_cloud.objects("over/") == local
    assert storage.exists(neighbour)


def test_a_resumed_run_keeps_the_shards_that_are_finished(
    in_cloud: FakeCloud, source: str, local: dict[str, bytes]
) -> None:
    output = f"gs://{BUCKET}/resumed"
    assert compress_text(source, output, "--task_index=0", "--num_tasks=2") == 0
    first = "resumed/train.tfrecord-00000-of-00002"
    made = in_cloud.bucket().get_blob(first).generation
    assert compress_text(source, output) == 0
    assert in_cloud.bucket().get_blob(first).generation == made
    assert in_cloud.objects("resumed/") == local


def test_another_split_with_the_codec_on_gcs(in_cloud: FakeCloud, source: str) -> None:
    """A Flex Template has no other place for a codec or an M1."""
    output = f"gs://{BUCKET}/splits"
    assert compress_text(source, output) == 0
    arguments = ["--codec", f"{output}/codec", "--split=validation", "--quiet"]
    assert compress.main([*arguments, "--input", source, "--output", output]) == 0
    names = in_cloud.objects("splits/")
    assert names["train.tfrecord-00000-of-00002"] == names["validation.tfrecord-00000-of-00002"]


def test_no_such_input_is_an_error(in_cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert compress_text(f"gs://{BUCKET}/nothing/*.gz", f"gs://{BUCKET}/out") == 1
    assert f"gs://{BUCKET}/nothing" in capsys.readouterr().err
    assert not in_cloud.objects("out/")


def test_a_file_of_several_upload_chunks(in_cloud: FakeCloud) -> None:
    data = bytes(range(256)) * (36 << 12)  # 36 MiB; Beam uploads 16 at a time
    path = f"gs://{BUCKET}/large"
    with storage.create(path) as file:
        for start in range(0, len(data), 1 << 22):
            file.write(data[start : start + (1 << 22)])
    assert storage.size(path) == len(data)
    with storage.open_read(path) as read:
        assert read.read() == data


def test_an_object_said_to_be_gzip_is_read_as_it_is(
    in_cloud: FakeCloud, inputs: list[Path]
) -> None:
    """Cloud Storage decompresses such objects for those who do not say otherwise."""
    blob = in_cloud.bucket().blob("encoded.json")
    blob.content_encoding = "gzip"
    blob.upload_from_string(inputs[0].read_bytes())
    with storage.open_read(f"gs://{BUCKET}/encoded.json") as file:
        assert file.read() == inputs[0].read_bytes()


def test_a_failed_write_leaves_nothing(in_cloud: FakeCloud) -> None:
    with pytest.raises(KeyError), storage.create(f"gs://{BUCKET}/failed/file") as file:
        file.write(b"half")
        raise KeyError
    assert not in_cloud.objects("failed/")


def test_the_later_write_replaces_the_earlier(in_cloud: FakeCloud) -> None:
    for text in ("earlier", "later"):
        storage.write_text(f"gs://{BUCKET}/twice/file", text)
    assert in_cloud.objects("twice/") == {"file": b"later"}


# [x] and * are allowed in names; Beam takes them for patterns, and would list and delete wrongly.
@pytest.mark.filterwarnings("ignore:Possible nested set")
@pytest.mark.parametrize("directory", ["plain", "brackets[1]", "star*"])
def test_names_are_no_patterns(in_cloud: FakeCloud, directory: str) -> None:
    others = ["plain-2/a", "brackets1/a", "star-2/a"]
    for name in [f"{directory}/a", f"{directory}/ab", f"{directory}/b", *others]:
        in_cloud.upload(name, b"x")
    path = f"gs://{BUCKET}/{directory}"
    assert storage.list_directory(path, "a") == [f"{path}/a", f"{path}/ab"]
    storage.delete([f"{path}/a", f"{path}/missing"])
    assert storage.list_directory(path, "") == [f"{path}/ab", f"{path}/b"]
    assert all(storage.exists(f"gs://{BUCKET}/{name}") for name in others)


def test_more_files_are_deleted_than_go_in_a_request(in_cloud: FakeCloud) -> None:
    paths = [in_cloud.upload(f"many/{number}", b"x") for number in range(102)]
    storage.delete(paths[:-1])
    assert storage.list_directory(f"gs://{BUCKET}/many", "") == paths[-1:]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(storage.StorageError, match=r"pip install 'equalinfo\[s3\]'"):
        storage.match("s3://bucket/*")


def test_missing_credentials_of_amazon_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "FSSPEC_S3_ANON"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(storage.StorageError, match="aws configure"):
        storage.exists("s3://no-such-bucket/file")


def test_missing_credentials_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/no/such/directory")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    storage.impersonate("")
    with pytest.raises(storage.StorageError, match="gcloud auth application-default login"):
        storage.match("gs://bucket/*")


def test_a_token_of_the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """FSSPEC_GCS_TOKEN, which fsspec reads into its configuration as it is imported."""
    from fsspec.config import conf

    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setitem(conf, "gcs", {"token": "anon"})
    storage.impersonate("")
    assert storage._google_credentials() == "anon"


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(storage.StorageError, match="gz:// is unknown"):
        storage.exists("gz://bucket/file")
