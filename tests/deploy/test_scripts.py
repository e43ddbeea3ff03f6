"""Scripts of deploy/: what --dry-run prints is what they run, and they check what they get.

Nothing here needs an account or docker: `gcloud` and `docker` are programs that note how they were
called.
"""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")

SETTINGS = {
    "PROJECT": "my-project",
    "BUCKET": "my-bucket",
    "TAG": "v1",
    "JOB": "my-job",
    "ZONE": "us-west4-b",
    "NAME": "slice",
    "RUN": "my-run",
    "DATASET": "gs://b/c4",
    "ACCELERATOR": "v5litepod-8",
}
INPUTS = "gs://b/c4/*.json.gz,gs://b/more text/*.txt"
GIN = ["--gin_file=gin/runs/train_m2.gin", "--gin_file=gin/models/sizes/25m.gin"]
GPU = {"MODEL_DIR": "/runs/one", "DATASET": "mine=/data/c4"}


class Scripts:
    """Runs the scripts of deploy/."""

    def __init__(self, directory: Path, repository: Path) -> None:
        self._folder = repository / "deploy"
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
            [str(BASH), str(self._folder / script), *arguments],
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


@pytest.mark.parametrize(
    ("script", "arguments", "settings"),
    [
        ("dataflow/build.sh", [], {}),
        ("dataflow/build.sh", ["--docker"], {}),
        ("dataflow/launch.sh", [f"input={INPUTS}", "output=gs://b/o"], {}),
        ("tpu/build.sh", [], {}),
        ("tpu/create.sh", [], {}),
        ("tpu/launch.sh", GIN, {}),
        ("tpu/collect.sh", [], {}),
        ("tpu/delete.sh", [], {}),
        ("gpu/launch.sh", GIN, GPU),
    ],
)
def test_what_is_printed_is_what_is_run(
    scripts: Scripts, script: str, arguments: list[str], settings: dict[str, str]
) -> None:
    printed = scripts.commands(script, *arguments, **settings)
    assert scripts.run(script, *arguments, **settings).returncode == 0
    commands = [each[2:] if each[0] == "env" else each for each in printed]
    assert scripts.calls() == [each for each in commands if each[0] in ("gcloud", "docker")]


def test_commas_and_spaces_are_kept(scripts: Scripts) -> None:
    arguments = [f"input={INPUTS}", "output=gs://my-bucket/out", "--", "--flexrs-goal=COST"]
    [command] = scripts.commands("dataflow/launch.sh", *arguments)
    assert f"--parameters=^|^input={INPUTS}" in command
    assert command[-1] == "--flexrs-goal=COST"
    dataset = "mine=gs://b/more text"
    [command] = scripts.commands("tpu/launch.sh", *GIN, SUBMESH="2,2,1,1", DATASET=dataset)
    assert "--worker=all" in command
    *_, remove, train = command[-1].removeprefix("--command=").strip().splitlines()
    assert "--force" not in remove  # a run that goes on is left alone
    assert {f"EQUALINFO_DATASETS={dataset}", "--gin.MODEL_PARALLEL_SUBMESH=(2,2,1,1)"} <= {
        *shlex.split(train)
    }


@pytest.mark.parametrize("own", [[], ["resource_hints=accelerator=type:nvidia-tesla-t4;count:1"]])
def test_dataflow_on_gpus(scripts: Scripts, own: list[str]) -> None:
    arguments = ["input=gs://b/a", "output=gs://b/o", *own]
    [command] = scripts.commands("dataflow/launch.sh", *arguments, VARIANT="gpu")
    hints = [each for each in command if each.startswith("--parameters=^|^resource_hints=")]
    gpu = "resource_hints=accelerator=type:nvidia-l4;count:1;install-nvidia-driver"
    assert hints == [f"--parameters=^|^{each}" for each in own or [gpu]]


def test_each_kind_of_tpu_has_a_runtime(scripts: Scripts) -> None:
    topologies = pytest.importorskip("benchmarks.topologies", reason="needs JAX: extra train")
    versions = set()
    for tpu in topologies.TPUS.values():
        name = tpu.name(tpu.slices[1])
        create, _ = scripts.commands("tpu/create.sh", ACCELERATOR=name)
        assert f"--accelerator-type={name}" in create
        versions |= {word for word in create if word.startswith("--runtime-version=")}
    assert len(versions) == len(topologies.TPUS)


def test_local_directories_are_mounted_and_buckets_are_not(scripts: Scripts) -> None:
    _, train = scripts.commands("gpu/launch.sh", *GIN, PARTITIONS="2", **GPU)
    mounted = {"--volume=/data/c4:/data/c4:ro", "--volume=/runs/one:/runs/one"}
    assert {word for word in train if word.startswith("--volume")} == mounted
    [train] = scripts.commands("gpu/launch.sh", *GIN, IMAGE="other", MODEL_DIR="gs://b/one")
    assert not [word for word in train if word.startswith("--volume")]  # both are on gs://
    more = {"MOUNTS": "/ckpt:/words.txt", "DATASET": "/data/run=1/c4", "MODEL_DIR": "/runs/one"}
    [train] = scripts.commands("gpu/launch.sh", *GIN, IMAGE="other", **more)
    mounted = {f"--volume={x}:{x}:ro" for x in ("/ckpt", "/words.txt", "/data/run=1/c4")}
    assert mounted <= set(train)


def test_who_is_logged_in_here_is_so_inside(scripts: Scripts, tmp_path: Path) -> None:
    login = tmp_path / "login.json"
    login.write_text("{}")
    known = {"IMAGE": "other", "GOOGLE_APPLICATION_CREDENTIALS": str(login)}
    [train] = scripts.commands("gpu/launch.sh", *GIN, MODEL_DIR="gs://b/one", **known)
    assert f"--volume={login}:/credentials.json:ro" in train
    assert "--env=GOOGLE_APPLICATION_CREDENTIALS=/credentials.json" in train
    [train] = scripts.commands("gpu/launch.sh", *GIN, **known, **GPU)
    assert not any("credentials.json" in word for word in train)


def test_codecs_as_pairs_need_no_data_set(scripts: Scripts) -> None:
    pairs = ["--gin_file=gin/runs/seq2seq_codec.gin", "--gin_file=gin/models/sizes/25m.gin"]
    settings = {"IMAGE": "other", "MODEL_DIR": "/runs/one", "DATASET": ""}
    [train] = scripts.commands("gpu/launch.sh", *pairs, **settings)
    assert "EQUALINFO_DATASETS=" in train
    [train] = scripts.commands("tpu/launch.sh", *pairs, DATASET="")
    assert "EQUALINFO_DATASETS= " in train[-1]
    refused = scripts.run("gpu/launch.sh", *GIN, **settings)
    assert refused.returncode != 0 and "set DATASET" in refused.stderr


@pytest.mark.parametrize("script", ["tpu/delete.sh", "tpu/create.sh"])
def test_only_the_option_makes_a_dry_run(scripts: Scripts, script: str) -> None:
    """The variable may be another program's; a slice that is not deleted costs money."""
    scripts.run(script, DRY_RUN="false")
    assert [call for call in scripts.calls() if call[0] == "gcloud"]


@pytest.mark.parametrize(
    ("script", "arguments", "settings", "says"),
    [
        ("dataflow/launch.sh", ["inptu=gs://b/a"], {}, "metadata.json has no parameter inptu"),
        ("dataflow/launch.sh", ["input=gs://b/a|b"], {}, "separates parameters"),
        ("dataflow/build.sh", [], {"VARIANT": "tpu"}, "VARIANT=tpu is not cpu or gpu"),
        ("dataflow/build.sh", [], {"PROJECT": ""}, "set PROJECT"),
        ("tpu/create.sh", [], {"ACCELERATOR": "v9-8"}, "ACCELERATOR=v9-8 is not v4-N"),
        ("tpu/create.sh", ["--spot"], {}, "unknown argument --spot"),
        ("tpu/launch.sh", ["--gin_file=gin/runs/no.gin"], {}, "gin/runs/no.gin is no file of gin/"),
        ("tpu/launch.sh", [*GIN, "--gin.MODEL_DIR='x'"], {}, "is what this script sets"),
        ("tpu/launch.sh", GIN, {"DATASET": "/data/c4"}, "DATASET=/data/c4 is not on gs://"),
        ("gpu/launch.sh", GIN, {"MODEL_DIR": "runs/one"}, "neither gs://... nor a path from /"),
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
    shellcheck = shutil.which("shellcheck")
    for script in found:
        subprocess.run([str(BASH), "-n", str(script)], check=True)
        assert os.access(script, os.X_OK) is not ("Sourced, not run." in script.read_text())
        if shellcheck is not None:
            command = [shellcheck, "--external-sources", script.name]
            subprocess.run(command, cwd=script.parent, check=True)


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


def test_the_log_of_a_run_that_ended_is_kept_before_it_goes_on(
    scripts: Scripts, tmp_path: Path
) -> None:
    """The command for the workers, run with programs that note how they were called."""
    [line] = scripts.commands("tpu/launch.sh", *GIN)
    [command] = [word for word in line if word.startswith("--command=")]
    sudo = tmp_path / "bin" / "sudo"
    sudo.write_text('#!/bin/sh\ncase "$2" in inspect) echo false ;; esac\nexec "$@"\n')
    sudo.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(BASH), "-c", command.removeprefix("--command=")],
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    calls = [call[:3] for call in scripts.calls()]
    names = [call[1] for call in calls if call[0] == "docker"]
    assert names == ["login", "pull", "inspect", "logs", "rm", "run"]
    [kept] = [call for call in scripts.calls() if call[:2] == ["gcloud", "storage"]]
    assert re.fullmatch(r"gs://my-bucket/runs/my-run/logs/\S+-\d{8}T\d{6}Z\.txt", kept[-1])


def test_a_tag_names_one_build(tmp_path: Path, repository: Path) -> None:
    """A checkout with changes has the tag of its next change, too."""
    shutil.copytree(repository / "deploy", tmp_path / "copy" / "deploy")
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -qm a"):
        subprocess.run(["git", "-C", tmp_path / "copy", *command.split()], check=True)
    (tmp_path / "calls").mkdir()
    scripts = Scripts(tmp_path / "calls", tmp_path / "copy")
    assert scripts.run("dataflow/build.sh", TAG="").returncode == 0 and scripts.calls()
    (tmp_path / "copy" / "new.py").write_text("")
    refused = scripts.run("tpu/build.sh", TAG="")
    assert refused.returncode == 2 and "commit them, or set TAG" in refused.stderr
    assert scripts.run("tpu/build.sh", TAG="mine").returncode == 0
    assert scripts.run("tpu/build.sh", "--dry-run", TAG="").returncode == 0
