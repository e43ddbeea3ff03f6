import pytest

from experiments.store import NotRunError, Store, is_done, key_of, result


def test_a_step_runs_once_and_keeps_what_it_returned(tmp_path):
    store, calls = Store(tmp_path), []

    def make(folder):
        calls.append(folder)
        return {"value": len(calls)}

    first = store.run("kind", "A [b]", {"x": 1}, make)
    assert store.run("kind", "A [b]", {"x": 1}, make) == first
    assert result(first) == {"value": 1}
    assert first.name.startswith("kind-a_b-")
    other = store.run("kind", "A [b]", {"x": 2}, make)
    assert other != first
    assert len(calls) == 2


def test_a_step_is_found_whatever_it_is_called(tmp_path):
    store = Store(tmp_path)
    first = store.run("kind", "A", {"x": 1}, lambda folder: 1)
    assert store.run("kind", "B", {"x": 1}, lambda folder: 2) == first
    assert first.name.endswith("-" + key_of(first))


def test_a_step_that_failed_is_run_again_in_its_folder(tmp_path):
    store = Store(tmp_path)

    def fail(folder):
        (folder / "part").write_text("so far")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.run("kind", "a", {}, fail)
    path = store.path("kind", "a", {})
    assert not is_done(path)
    assert store.run("kind", "a", {}, lambda folder: (folder / "part").read_text()) == path
    assert result(path) == "so far"


def test_what_another_store_found_is_not_run_where_nobody_wants_files(tmp_path):
    def make(folder):
        (folder / "file").write_text("1")
        return 1

    one = Store(tmp_path / "one")
    for kind in ("kind", "other"):
        one.run(kind, "A", {"x": 1}, make)
    one.save(tmp_path / "known", {"kind"})
    two = Store(tmp_path / "two", tmp_path / "known")
    with pytest.raises(NotRunError):
        two.read_only().run("other", "A", {"x": 1}, make, files=False)
    path = two.read_only().run("kind", "A", {"x": 1}, make, files=False)
    assert result(path) == 1
    with pytest.raises(NotRunError):
        two.read_only().run("kind", "A", {"x": 1}, make)
    assert not (path / "file").exists()
    assert two.run("kind", "A", {"x": 1}, make) == path
    assert (path / "file").exists()
    two.save(tmp_path / "again", {"kind"})
    assert len((tmp_path / "again").read_text().splitlines()) == 1


def test_what_is_made_again_is_what_was_known(tmp_path):
    """Models that are known were trained on it."""
    one = Store(tmp_path / "one")
    one.run("kind", "A", {"x": 1}, lambda folder: {"tokens": 100})
    one.save(tmp_path / "known", {"kind"})
    two = Store(tmp_path / "two", tmp_path / "known")
    with pytest.raises(RuntimeError, match=r"was {'tokens': 100} .* and is {'tokens': 97} here"):
        two.run("kind", "A", {"x": 1}, lambda folder: {"tokens": 97})
    assert result(two.run("kind", "A", {"x": 1}, lambda folder: {"tokens": 100})) == {"tokens": 100}
