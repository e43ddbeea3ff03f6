"""build.sh and launch.sh: what --dry-run prints is what they run, and they check what they get."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")

SETTINGS = {"PROJECT": "my-project", "BUCKET": "my-bucket", "TAG": "v1", "JOB": "my-job"}
INPUTS = "gs://b/c4/*.json.gz,gs://b/more text/*.txt"


class Scripts:
    """Runs the scripts; `gcloud` and `docker` are programs that only note how they were called."""

    def __init__(self, directory: Path, repository: Path) -> None:
        self._folder = repository / "deploy" / "dataflow"
        self._log = directory / "calls"
        self._programs = directory / "bin"
        self._programs.mkdir()
        for name in ("gcloud", "docker"):
            program = self._programs / name
            program.write_text(
                f'#!/bin/sh\nprintf "%s\\0" {name} "$@" >> "{self._log}"\n'
                f'printf "\\n" >> "{self._log}"\n'
            )
            program.chmod(0o755)

    def run(
        self, script: str, *arguments: str, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        path = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [str(BASH), str(self._folder / script), *arguments],
            env={"PATH": path, **SETTINGS, **settings},
            capture_output=True,
            text=True,
            timeout=30,
        )

    def commands(self, script: str, *arguments: str, **settings: str) -> list[list[str]]:
        """What --dry-run prints, as words; nothing was run."""
        printed = self.run(script, "--dry-run", *arguments, **settings)
        assert printed.returncode == 0, printed.stderr
        assert self.calls() == []
        return [shlex.split(line) for line in printed.stdout.splitlines()]

    def calls(self) -> list[list[str]]:
        if not self._log.exists():
            return []
        return [line.split("\0")[:-1] for line in self._log.read_text().splitlines()]


@pytest.fixture
def scripts(tmp_path: Path, repository: Path) -> Scripts:
    return Scripts(tmp_path, repository)


def test_launch_keeps_commas_and_spaces(scripts: Scripts) -> None:
    arguments = [f"input={INPUTS}", "output=gs://my-bucket/out"]
    [command] = scripts.commands("launch.sh", *arguments, "--", "--flexrs-goal=COST_OPTIMIZED")
    assert f"--parameters=^|^input={INPUTS}" in command
    assert command[-1] == "--flexrs-goal=COST_OPTIMIZED"


@pytest.mark.parametrize("own", [[], ["resource_hints=accelerator=type:nvidia-tesla-t4;count:1"]])
def test_launch_on_gpus(scripts: Scripts, own: list[str]) -> None:
    arguments = ["input=gs://b/a", "output=gs://b/o", *own]
    [command] = scripts.commands("launch.sh", *arguments, VARIANT="gpu", MAX_WORKERS="4")
    hints = [each for each in command if each.startswith("--parameters=^|^resource_hints=")]
    gpu = "resource_hints=accelerator=type:nvidia-l4;count:1;install-nvidia-driver"
    assert hints == [f"--parameters=^|^{each}" for each in own or [gpu]]
    assert {"--worker-machine-type=g2-standard-8", "--max-workers=4"} <= {*command}


def test_what_is_printed_is_what_is_run(scripts: Scripts) -> None:
    launch = ["launch.sh", f"input={INPUTS}", "output=gs://b/o"]
    printed = [*scripts.commands("build.sh"), *scripts.commands("build.sh", "--docker")]
    printed += scripts.commands(*launch)
    for script, *arguments in (["build.sh"], ["build.sh", "--docker"], launch):
        assert scripts.run(script, *arguments).returncode == 0
    commands = [each[2:] if each[0] == "env" else each for each in printed if each[0] != "cd"]
    assert scripts.calls() == commands


@pytest.mark.parametrize(
    ("script", "arguments", "settings", "says"),
    [
        ("launch.sh", ["inptu=gs://b/a"], {}, "metadata.json has no parameter inptu"),
        ("launch.sh", ["--verify"], {}, "write verify=VALUE"),
        ("launch.sh", ["input"], {}, "input is not NAME=VALUE"),
        ("launch.sh", ["input=gs://b/a|b"], {}, "separates parameters"),
        ("build.sh", ["--gpu"], {}, "unknown argument --gpu"),
        ("build.sh", [], {"VARIANT": "tpu"}, "VARIANT=tpu is not cpu or gpu"),
        ("build.sh", [], {"PROJECT": ""}, "set PROJECT"),
        ("launch.sh", ["input=gs://b/a"], {"BUCKET": ""}, "set BUCKET"),
    ],
)
def test_mistakes_are_refused(
    scripts: Scripts, script: str, arguments: list[str], settings: dict[str, str], says: str
) -> None:
    refused = scripts.run(script, *arguments, **settings)
    assert refused.returncode != 0
    assert says in refused.stderr
    assert scripts.calls() == []


def test_shellcheck(repository: Path) -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("needs shellcheck: apt install shellcheck")
    found = subprocess.run(
        [shellcheck, "--external-sources", "build.sh", "launch.sh"],
        cwd=repository / "deploy" / "dataflow",
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout
