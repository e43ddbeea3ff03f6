"""What Dataflow would be sent, captured on loopback; and that it gives the bytes of a local run.

No job ran on the real service: what it does with the request is not tested.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fake_cloud import BUCKET, FakeCloud

pytest.importorskip("apache_beam")

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from equalinfo.data import storage
from pipelines import compress
from pipelines.executors.beam import Beam

IMAGE = "us-central1-docker.pkg.dev/p/equalinfo/equalinfo-cpu:1"
GPU = "type:nvidia-l4;count:1;install-nvidia-driver"
EMBEDDED = "beam:env:embedded_python:v1"


@pytest.fixture
def source(in_cloud: FakeCloud, inputs: list[Path]) -> str:
    in_cloud.jobs.clear()
    in_cloud.job_states = ("JOB_STATE_DONE", "JOB_STATE_DONE")
    for path in inputs:
        in_cloud.upload(f"in/{path.name}", path.read_bytes())
    return f"gs://{BUCKET}/in/*.json.gz"


def submit(cloud: FakeCloud, source: str, output: str, *options: str) -> int:
    return compress.main(
        [
            *("--method=gzip", "--quiet", "--input", source, "--output", output),
            *("--runner=DataflowRunner", "--project=p", "--region=us-central1", "--job_name=name"),
            *(f"--temp_location=gs://{BUCKET}/temp", f"--sdk_container_image={IMAGE}"),
            *(f"--dataflow_endpoint={cloud.endpoint}", "--no_auth", *options),
        ]
    )


def staged_pipeline(cloud: FakeCloud, job: dict[str, Any]) -> beam_runner_api_pb2.Pipeline:
    url = job["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
    path = url.removeprefix(f"gs://{BUCKET}/")
    return beam_runner_api_pb2.Pipeline.FromString(cloud.objects(path)[""])


def hints(pipeline: beam_runner_api_pb2.Pipeline) -> list[dict[str, bytes]]:
    return [dict(each.resource_hints) for each in pipeline.components.environments.values()]


def test_the_job_is_what_the_options_say(
    in_cloud: FakeCloud, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "--machine_type=n2-standard-4",
        "--max_num_workers=7",
        "--labels=team=text",
        "--experiments=min_cpu_platform=Intel Ice Lake",
        "--dataflow_service_options=enable_prime",
        "--resource_hints=min_ram=8GB",
        f"--resource_hints=accelerator={GPU}",
    ]
    assert submit(in_cloud, source, f"gs://{BUCKET}/submitted", *options) == 1
    [job] = in_cloud.jobs
    environment = job["environment"]
    [pool] = environment["workerPools"]
    assert job["name"] == "name"
    assert job["labels"] == {"team": "text"}
    assert pool["machineType"] == "n2-standard-4"
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 7
    assert pool["workerHarnessContainerImage"] == IMAGE
    assert [each["containerImage"] for each in pool["sdkHarnessContainerImages"]] == [IMAGE]
    assert "min_cpu_platform=Intel Ice Lake" in environment["experiments"]
    assert "use_runner_v2" in environment["experiments"]
    assert environment["serviceOptions"] == ["enable_prime"]
    assert not environment["sdkPipelineOptions"]["options"]["save_main_session"]
    for each in hints(staged_pipeline(in_cloud, job)):
        assert each["beam:resources:min_ram_bytes:v1"] == b"8000000000"
        assert each["beam:resources:accelerator:v1"] == GPU.encode()
    # The service says that the job is done, but nothing was written: that is no success.
    assert "pipelines.compress: JobFailedError" in capsys.readouterr().err
    assert "manifest.json" not in in_cloud.objects("submitted/")


def test_a_job_that_fails_is_an_error(
    in_cloud: FakeCloud, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    in_cloud.job_states = ("JOB_STATE_RUNNING", "JOB_STATE_FAILED")
    assert submit(in_cloud, source, f"gs://{BUCKET}/failed") == 1
    assert "a worker failed" in capsys.readouterr().err  # what the service's log says


@pytest.mark.parametrize("spread", ["files", pytest.param("batches", marks=pytest.mark.slow)])
def test_a_flex_template_launch_gives_the_bytes_of_a_local_run(
    in_cloud: FakeCloud,
    source: str,
    inputs: list[Path],
    tmp_path: Path,
    repository: Path,
    spread: str,
) -> None:
    """Launcher and workers are different processes, as on Dataflow: what one lacks shows."""
    location = f"launches/{spread}/job_object"
    parameters = {
        "gzip_header": "false",
        "input": f"gs://{BUCKET}/in/text-0.json.gz,gs://{BUCKET}/in/text-1.json.gz",
        "job_name": "launched",
        "labels": '{"team": "text"}',
        "machine_type": "n2-standard-4",
        "max_num_workers": "7",
        "method": "gzip",
        "output": f"gs://{BUCKET}/flex-{spread}",
        "project": "my-project",
        "region": "us-central1",
        "resource_hints": f"min_ram=8GB,accelerator={GPU}",
        "runner": "DataflowRunner",
        "sdk_container_image": IMAGE,
        "service_account_email": "a@p.iam.gserviceaccount.com",
        "spread": spread,
        "staging_location": f"gs://{BUCKET}/staging",
        "temp_location": f"gs://{BUCKET}/temp",
        "template_location": f"gs://{BUCKET}/{location}",
        "verify": "true",
    }
    launched = subprocess.run(
        [
            *(sys.executable, "tests/deploy/anonymous.py", "deploy/dataflow/main.py"),
            *(f"--{name}={value}" for name, value in parameters.items()),
        ],
        cwd=repository,
        env={**os.environ, **in_cloud.environment, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    # Dataflow starts the job when this process has ended well, and it must not start one itself.
    assert launched.returncode == 0, launched.stderr
    assert in_cloud.jobs == []
    job = json.loads(in_cloud.objects(location)[""])
    [pool] = job["environment"]["workerPools"]
    assert pool["machineType"] == "n2-standard-4"
    assert [each["containerImage"] for each in pool["sdkHarnessContainerImages"]] == [IMAGE]
    assert job["labels"] == {"team": "text"}

    pipeline = staged_pipeline(in_cloud, job)
    for each in hints(pipeline):
        assert each["beam:resources:accelerator:v1"] == GPU.encode()
    for environment in pipeline.components.environments.values():
        environment.urn, environment.payload = EMBEDDED, b""  # this process instead of the image
    FnApiRunner().run_via_runner_api(pipeline, PipelineOptions([])).wait_until_finish()

    local = tmp_path / "local"
    options = ["--method=gzip", "--no-gzip_header", "--verify", "--quiet"]
    pattern = str(inputs[0].parent / "*.json.gz")
    assert compress.main([*options, "--input", pattern, "--output", str(local)]) == 0
    files = [path for path in local.rglob("*") if path.is_file()]
    assert in_cloud.objects(f"flex-{spread}/") == {
        path.relative_to(local).as_posix(): path.read_bytes() for path in files
    }


def test_dataflow_without_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="needs --sdk_container_image"):
        Beam("DataflowRunner").checked(["--project=p", "--region=r"], [])


def test_files_of_this_machine_are_refused() -> None:
    image = [f"--sdk_container_image={IMAGE}"]
    paths = ["gs://b/in/*.json.gz", "tfds:c4/en:3.1.0", "gs://b/out"]
    Beam("DataflowRunner").checked(image, paths)
    with pytest.raises(ValueError, match="out is on this machine"):
        Beam("DataflowRunner").checked(image, ["gs://b/in/*.json.gz", "out"])
    Beam("FnApiRunner").checked([], ["in.txt", "out"])


def test_the_launcher_opens_files_as_the_account_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("gcsfs")
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setattr(google.auth, "default", lambda **_: (AnonymousCredentials(), "p"))
    account = "a@p.iam.gserviceaccount.com"
    Beam("FnApiRunner").checked([f"--impersonate_service_account={account}"], [])
    try:
        assert storage._options("gs", os.getpid())["token"].service_account_email == account
    finally:
        Beam("FnApiRunner").checked([], [])
    assert isinstance(storage._options("gs", os.getpid())["token"], AnonymousCredentials)
    storage.impersonate("")
