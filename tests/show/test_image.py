"""Images of every kind, of any text, the same each time."""

import struct
from xml.etree import ElementTree

import pytest

from equalinfo.show import image
from equalinfo.show.panel import Panel, Token, of_tokenizer

pytest.importorskip("matplotlib")

# Dollars (mathematics to matplotlib), marks, other scripts, a character that no font has.
NASTY = (
    "the $x_1$ \\frac été e\u0301 ½ ① 日本 שלום 😀 --> <b> \x1b[0m \U00012000\n".encode()
    + b"\xff\xe2"
)


def size_of_png(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_same_image_each_time(tokenizer, tmp_path, suffix):
    panels = [of_tokenizer(tokenizer, NASTY, eos=True), of_tokenizer(tokenizer, b"the fox")]
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        image.save(panels, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert len(paths[0].read_bytes()) > 5000
    if suffix == ".svg":
        ElementTree.parse(paths[0])
    elif suffix == ".pdf":
        assert b"/Type3" not in paths[0].read_bytes()


def test_size_follows_the_text(tokenizer, tmp_path):
    path = tmp_path / "a.png"
    sizes = []
    for text, width in ((b"", 100), (b"the fox " * 30, 100), (b"the fox " * 30, 60)):
        image.save([of_tokenizer(tokenizer, text)], path, width)
        sizes.append(size_of_png(path))
    points = [across * 72 / image.DPI for across, _ in sizes]
    assert points[0] < points[2] <= 60 * 4.82 + 8 < points[1] <= 100 * 4.82 + 8
    assert sizes[0][1] < sizes[1][1] < sizes[2][1]


def test_something_is_drawn(tokenizer, tmp_path):
    """Every colour of the four, and dark text on it."""
    pixels = pytest.importorskip("PIL.Image")
    image.save([of_tokenizer(tokenizer, b"the quick brown fox")], tmp_path / "a.png")
    with pixels.open(tmp_path / "a.png") as picture:
        found = {color for _, color in picture.convert("RGB").getcolors(1 << 20)}
    expected = {tuple(bytes.fromhex(color[1:])) for color in image.LIGHT}
    assert expected < found
    assert min(map(sum, found)) < 100


def test_users_settings_are_kept_and_not_used(tokenizer, tmp_path):
    import matplotlib

    panel = of_tokenizer(tokenizer, b"the fox")
    image.save([panel], tmp_path / "a.png")
    with matplotlib.rc_context({"savefig.dpi": 30, "savefig.transparent": True}):
        image.save([panel], tmp_path / "b.png")
        assert matplotlib.rcParams["savefig.dpi"] == 30
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_errors_name_the_fix(tokenizer, tmp_path):
    panel = of_tokenizer(tokenizer, b"the fox")
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf, not as '\.jpg'"):
        image.save([panel], tmp_path / "a.jpg")
    long = Panel("t", [Token(3, (10,))] * 3000, 1000, "")
    with pytest.raises(ValueError, match=r"3,000 tokens .* a PNG holds 65,535.*\.svg or \.pdf"):
        image.save([long], tmp_path / "a.png")
