"""A process that runs the settings of one group.

    python -m benchmarks.m1_matrix.worker FOLDER GROUP

The folder holds `m1.eqm`, `texts.npz` and `plan.json`; for each setting it gets a file of numbers,
and standard output gets a JSON line.
"""

import json
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks.m1_matrix.settings import GROUPS, Setting
from benchmarks.m1_matrix.texts import Numbers, Texts
from equalinfo.m1.frozen.file import FrozenM1


def main(folder: Path, group: str) -> None:
    """Run them all; an error of one is reported in its line."""
    model = FrozenM1.load(folder / "m1.eqm")
    with np.load(folder / "texts.npz") as file:
        texts = {
            int(name): Texts(int(name), file[name], file[f"{name} ends"])
            for name in file
            if "ends" not in name
        }
    print(json.dumps({"group": group, "versions": _versions()}), flush=True)
    plan: dict[str, int] = json.loads((folder / "plan.json").read_text())
    for setting in GROUPS[group]():
        start = time.perf_counter()
        line: dict[str, object] = {"setting": setting.name}
        try:
            found = run(setting, model, texts, plan[setting.name])
        except Exception as error:
            line["error"] = f"{type(error).__name__}: {error}"
        else:
            line["file"] = str(folder / f"{setting.name}.npz")
            np.savez(str(line["file"]), **{str(context): x for context, x in found.items()})  # type: ignore[arg-type]
        line["seconds"] = round(time.perf_counter() - start, 1)
        print(json.dumps(line), flush=True)


def run(
    setting: Setting, model: FrozenM1, texts: dict[int, Texts], contexts: int
) -> dict[int, Numbers]:
    """{size of context: a number for each row}, of at least so many contexts together."""
    read, part = setting.make(model), -(-contexts // len(setting.contexts))
    return {size: read(texts[size].beginning(part)) for size in setting.contexts}


def _versions() -> dict[str, str]:
    found = {}
    for name in ("numpy", "numba", "jax", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
