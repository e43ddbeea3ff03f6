"""Choose the demo's text, in the public domain, from C4-like shards.

Usage: python demo/text/build.py 'DIRECTORY/*.json.gz'

The files beside this script were made by it, from shards that are not in this repository.
It decides by hashes of the url and the text, never by the order of its input, and writes
deterministic gzip.
"""

import glob
import gzip
import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARDS = 4
# url prefix -> the most bytes of text to take from it.
SOURCES = {
    "github:nltk/nltk_data/packages/corpora/inaugural.zip#": 10**9,
    "github:nltk/nltk_data/packages/corpora/state_union.zip#": 10**9,
    "github:18F/18f.gsa.gov/content/posts/": 400_000,
}


def digest(*parts: str) -> bytes:
    """Return the SHA-256 of the parts, the key of every choice here."""
    return hashlib.sha256("\0".join(parts).encode()).digest()


def is_validation(url: str) -> bool:
    """Put one address or post in sixteen, whole, in validation: pieces of one share their url."""
    return digest("split", url)[0] < 16


def choose(lines: list[dict[str, str]]) -> list[dict[str, str]]:
    """Keep the documents of SOURCES: whole urls, in order of their hash, up to the limit."""
    chosen = []
    for prefix, limit in SOURCES.items():
        by_url: dict[str, list[dict[str, str]]] = {}
        for line in lines:
            if line["url"].startswith(prefix):
                by_url.setdefault(line["url"], []).append(line)
        size = 0
        for url in sorted(by_url, key=digest):
            size += sum(len(line["text"].encode()) for line in by_url[url])
            if size > limit:
                break
            chosen += by_url[url]
    return sorted(chosen, key=lambda line: digest(line["url"], line["text"]))


def write(path: Path, lines: list[dict[str, str]]) -> None:
    """Write one shard and print its row of README.md's table."""
    data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(data)
    text_bytes = sum(len(line["text"].encode()) for line in lines)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"| {path.name} | {len(lines)} | {text_bytes} | {path.stat().st_size} | `{sha256}` |")


def main(pattern: str) -> None:
    """Read every shard that `pattern` names; write the train shards and the validation shard."""
    paths = sorted(glob.glob(pattern))
    if not paths:
        raise FileNotFoundError(f"no file matches {pattern!r}. Give the glob of C4-like .json.gz.")
    lines: list[dict[str, str]] = []
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines += map(json.loads, file)
    chosen = choose(lines)
    train = [line for line in chosen if not is_validation(line["url"])]
    validation = [line for line in chosen if is_validation(line["url"])]
    for prefix in SOURCES:
        here = [line for line in chosen if line["url"].startswith(prefix)]
        print(prefix, len(here), sum(len(line["text"].encode()) for line in here), file=sys.stderr)
    for shard in range(SHARDS):
        write(HERE / f"train-{shard:05d}-of-{SHARDS:05d}.json.gz", train[shard::SHARDS])
    write(HERE / "validation-00000-of-00001.json.gz", validation)


if __name__ == "__main__":
    main(sys.argv[1])
