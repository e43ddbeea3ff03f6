"""deploy/tpu and deploy/gpu: what --dry-run prints is what they run, and they check what they get.

Nothing here needs a TPU, an account or docker: `gcloud` and `docker` are programs that note how
they were called.
"""

import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")

SETTINGS = {
    "PROJECT": "my-project",
    "BUCKET": "my-bucket",
    "ZONE": "us-west4-b",
    "TAG": "v1",
    "NAME": "slice",
    "RUN": "my-run",
    "DATASET": "gs://b/c4",
    "ACCELERATOR": "v5litepod-8",
}
IMAGE = "us-west4-docker.pkg.dev/my-project/equalinfo/equalinfo-t5x-tpu:v1"
WHERE = ["--project=my-project", "--zone=us-west4-b"]
GIN = ["--gin_file=gin/runs/train_m2.gin", "--gin_file=gin/models/sizes/25m.gin"]
GPU = {"MODEL_DIR": "/runs/one", "DATASET": "mine=/data/c4"}


class Scripts:
    """Runs the scripts of deploy/."""

    def __init__(self, directory: Path, repository: Path) -> None:
        self.folder = repository / "deploy"
        self._directory = directory
        self._log = directory / "calls"
        self._programs = directory / "bin"
        self._programs.mkdir()
        for name in ("gcloud", "docker"):
            program = self._programs / name
            program.write_text(
                f'#!/bin/sh\nprintf "%s\\0" {name} "$@" >> "{self._log}"\n'
                f'printf "\\0" >> "{self._log}"\n'
            )
            program.chmod(0o755)

    def run(
        self, script: str, *arguments: str, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        path = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [str(BASH), str(self.folder / script), *arguments],
            env={"PATH": path, **SETTINGS, **settings},
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def commands(self, script: str, *arguments: str, **settings: str) -> list[list[str]]:
        """What --dry-run prints, as words; nothing was run."""
        printed = self.run(script, "--dry-run", *arguments, **settings)
        assert printed.returncode == 0, printed.stderr
        assert self.calls() == []
        return [_words(line) for line in printed.stdout.splitlines()]

    def calls(self) -> list[list[str]]:
        if not self._log.exists():
            return []
        return [call.split("\0") for call in self._log.read_text().split("\0\0") if call]


def _words(line: str) -> list[str]:
    """The words of a printed command. bash, not shlex: some are printed as $'...'."""
    split = [str(BASH), "-c", 'eval "set -- $1"; printf "%s\\0" "$@"', "bash", line]
    printed = subprocess.run(split, capture_output=True, text=True, check=True).stdout
    return printed.split("\0")[:-1]


@pytest.fixture
def scripts(tmp_path: Path, repository: Path) -> Scripts:
    return Scripts(tmp_path, repository)


def remote(command: list[str]) -> str:
    """What a command runs on every worker."""
    assert command[:6] == ["gcloud", "compute", "tpus", "tpu-vm", "ssh", "slice"]
    assert [*WHERE, "--worker=all"] == command[6:-1]
    return command[-1].removeprefix("--command=")


def test_each_kind_of_tpu_has_a_runtime(scripts: Scripts) -> None:
    topologies = pytest.importorskip("benchmarks.topologies", reason="needs JAX: extra train")
    versions = set()
    for tpu in topologies.TPUS.values():
        name = tpu.name(tpu.slices[1])
        create, _ = scripts.commands("tpu/create.sh", ACCELERATOR=name)
        assert f"--accelerator-type={name}" in create
        versions |= {word for word in create if word.startswith("--runtime-version=")}
    assert len(versions) == len(topologies.TPUS)


def test_launch_keeps_spaces_on_every_worker(scripts: Scripts) -> None:
    dataset = "mine=gs://b/more text"
    [command] = scripts.commands(
        "tpu/launch.sh", *GIN, "--gin.TRAIN_STEPS=10", SUBMESH="2,2,1,1", DATASET=dataset
    )
    *_, remove, train = remote(command).strip().splitlines()
    assert "--force" not in remove  # a run that goes on is left alone
    words = shlex.split(train)
    assert f"EQUALINFO_DATASETS={dataset}" in words
    assert "--gin.MODEL_PARALLEL_SUBMESH=(2,2,1,1)" in words


def test_local_directories_are_mounted_and_buckets_are_not(scripts: Scripts) -> None:
    _, train = scripts.commands("gpu/launch.sh", *GIN, PARTITIONS="2", **GPU)
    mounted = {"--volume=/data/c4:/data/c4:ro", "--volume=/runs/one:/runs/one"}
    assert {word for word in train if word.startswith("--volume")} == mounted
    [train] = scripts.commands("gpu/launch.sh", *GIN, IMAGE="other", MODEL_DIR="gs://b/one")
    assert not [word for word in train if word.startswith("--volume")]  # both are on gs://


def test_what_is_printed_is_what_is_run(scripts: Scripts) -> None:
    lines = [
        (["tpu/build.sh"], {}),
        (["tpu/create.sh"], {}),
        (["tpu/launch.sh", *GIN], {}),
        (["tpu/collect.sh"], {}),
        (["tpu/delete.sh"], {}),
        (["gpu/launch.sh", *GIN], GPU),
    ]
    printed = [line for words, settings in lines for line in scripts.commands(*words, **settings)]
    for words, settings in lines:
        assert scripts.run(*words, **settings).returncode == 0
    commands = [each[2:] if each[0] == "env" else each for each in printed]
    assert scripts.calls() == [each for each in commands if each[0] in ("gcloud", "docker")]


@pytest.mark.parametrize(
    ("script", "arguments", "settings", "says"),
    [
        ("tpu/create.sh", [], {"ACCELERATOR": "v9-8"}, "ACCELERATOR=v9-8 is not v4-N"),
        ("tpu/create.sh", ["--spot"], {}, "unknown argument --spot"),
        ("tpu/create.sh", [], {"ZONE": ""}, "set ZONE"),
        ("tpu/launch.sh", [], {}, "no --gin_file"),
        ("tpu/launch.sh", ["--gin_file=gin/runs/no.gin"], {}, "gin/runs/no.gin is no file of gin/"),
        ("tpu/launch.sh", ["--gin_file=README.md"], {}, "README.md is no file of gin/"),
        ("tpu/launch.sh", [*GIN, "--gin.MODEL_DIR='x'"], {}, "is what this script sets"),
        ("tpu/launch.sh", GIN, {"DATASET": "/data/c4"}, "DATASET=/data/c4 is not on gs://"),
        ("tpu/launch.sh", GIN, {"RUN": ""}, "set RUN"),
        ("tpu/collect.sh", [], {"RUN": ""}, "set RUN"),
        ("tpu/delete.sh", ["now"], {}, "unknown argument now"),
        ("gpu/launch.sh", GIN, {"MODEL_DIR": "runs/one"}, "neither gs://... nor a path from /"),
        ("gpu/launch.sh", GIN, {"MODEL_DIR": "/runs", "DATASET": ""}, "set DATASET"),
    ],
)
def test_mistakes_are_refused(
    scripts: Scripts, script: str, arguments: list[str], settings: dict[str, str], says: str
) -> None:
    refused = scripts.run(script, *arguments, **settings)
    assert refused.returncode != 0
    assert says in refused.stderr
    assert scripts.calls() == []


def test_the_shell_reads_every_script(repository: Path) -> None:
    found = sorted((repository / "deploy").glob("**/*.sh"))
    assert len(found) >= 12
    for script in found:
        subprocess.run([str(BASH), "-n", str(script)], check=True)
    shellcheck = shutil.which("shellcheck")
    if shellcheck is not None:
        for script in found:
            command = [shellcheck, "--external-sources", script.name]
            subprocess.run(command, cwd=script.parent, check=True)


def test_scripts_that_are_run_can_be(repository: Path) -> None:
    for script in (repository / "deploy").glob("*/*.sh"):
        sourced = "Sourced, not run." in script.read_text()
        assert os.access(script, os.X_OK) is not sourced, script


def test_every_file_they_name_exists(repository: Path) -> None:
    """Also in their help, their comments and in deploy/README.md."""
    folder = repository / "deploy"
    files = [*folder.glob("*.sh"), *folder.glob("[tg]pu/*"), folder / "README.md"]
    named = set()
    for file in files:
        text = file.read_text()
        named |= set(re.findall(r"(?<![\w/.-])(?:deploy|gin|docs|tests)/[\w./-]*\w\.\w+", text))
        for name in re.findall(r"(?<![\w/])(\.\./[\w./-]*\w\.\w+)", text):
            named.add((file.parent / name).resolve().relative_to(repository).as_posix())
    assert {"deploy/tpu/cloudbuild.yaml", "gin/runs/train_m2.gin", "docs/t5x.md"} <= named
    assert not [name for name in sorted(named) if not (repository / name).is_file()]


def test_what_the_image_copies_is_sent_to_docker(repository: Path) -> None:
    folder = repository / "deploy" / "tpu"
    sent = (folder / "Dockerfile.dockerignore").read_text().splitlines()
    copies = re.findall(r"^COPY (.*) \S+$", (folder / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for line in copies for source in line.split() if not source.startswith("--")]
    assert {"gin", "tasks", "t5x_models", "equalinfo"} <= {*sources}
    for source in sources:
        assert f"!{source}" in sent
        assert (repository / source).exists()
    assert len(sent) == len(set(sources)) + 3  # the comment, "*", "**/__pycache__"


def test_all_that_the_image_installs_is_locked(repository: Path) -> None:
    pins = {
        Requirement(line.partition("#")[0]).name.lower().replace("_", "-")
        for line in (repository / "constraints.txt").read_text().splitlines()
        if line.partition("#")[0].strip()
    }
    text = (repository / "deploy" / "tpu" / "t5x.txt").read_text()
    commits = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            requirement = Requirement(line)
            name = requirement.name.lower().replace("_", "-")
            if requirement.url:
                commits[name] = requirement.url.rpartition("@")[2]
            else:  # pinned once, here or there
                exact = str(requirement.specifier).startswith("==")
                assert exact is (name not in pins), line
    assert commits.keys() == {"airio", "jestimator", "t5x"}
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in commits.values())
    assert commits["t5x"].startswith("cc342d4")  # the commit that was tried
    dockerfile = (repository / "deploy" / "tpu" / "Dockerfile").read_text()
    for command in re.sub(r"\\\n", " ", dockerfile).splitlines():
        if "pip install" in command and "libtpu==" not in command:
            assert " -c constraints.txt " in command


def test_libtpu_is_the_one_that_jax_asks_for(repository: Path) -> None:
    dockerfile = (repository / "deploy" / "tpu" / "Dockerfile").read_text()
    [version] = re.findall(r"libtpu==(\S+)", dockerfile)
    try:
        asked = importlib.metadata.requires("jax") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs JAX: extra train")
    [libtpu] = [each for line in asked if (each := Requirement(line)).name == "libtpu"]
    assert libtpu.specifier.contains(version)
