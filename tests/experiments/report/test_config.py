import pytest

from experiments.report.config import Config

MINIMAL = """
title = "t"
about = "a"
train = []
validation = []
train_bytes = 1
validation_bytes = 1
"""


def test_configs_of_the_package_are_read():
    names = sorted(path.stem for path in Config.folder.glob("*.toml"))
    assert names == ["gpu", "laptop", "paper", "tiny"]
    for name in names:
        config = Config.load(name)
        assert config.title == name
        assert (config.training is None) == (name == "paper")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL + "sedes = [1]", "'sedes' is none of title"),
        (MINIMAL.replace("train_bytes = 1", "", 1), "'train_bytes' is missing"),
        (MINIMAL + '[[methods]]\nname = "a"\noptions = ""\n' * 2, "two methods are named 'a'"),
        (MINIMAL + '[[methods]]\nname = "a"\n', r"\[\[methods\]\]: 'options' is missing"),
        (MINIMAL + "x = ", "Invalid value"),
        (MINIMAL + 'samples = "many"', "samples = 'many' is no int"),
        (MINIMAL + "seeds = 3", "seeds = 3 is no list"),
        (MINIMAL + "samples = true", "samples = True is no int"),
        (MINIMAL + "training = 3", r"\[training\]: 3 is no table of steps"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        Config.load(str(path))


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ValueError, match="none of gpu, laptop, paper, tiny"):
        Config.load("huge")
