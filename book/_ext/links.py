"""The addresses outside that the book's sources name.

    python book/_ext/links.py          print them, each with the files that name it
    python book/_ext/links.py --ask    ask each whether it is there; needs the internet

The tests hold the list to its form. Only --ask knows whether somebody answers; it ends with an error where nobody does.
"""

import json
import re
import sys
import urllib.error
import urllib.request
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("*.md", "*.cff", "_config.yml", "book/*.md", "book/*.ipynb", "book/*.bib")
ADDRESS = re.compile(r"https?://[^\s<>\"'`{}\\)\]]+")
# What the bibliography makes a link of.
ENTRY = re.compile(r"^\s*(eprint|doi)\s*=\s*\{(.+?)\},?$", re.MULTILINE)
PREFIX = {"eprint": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
HERE = ("http://127.0.0.1", "http://localhost")


def text_of(path: Path) -> str:
    """What an author wrote: of a notebook its cells, without outputs."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def addresses() -> dict[str, list[str]]:
    """By address, the files that name it; neither a place on a page nor a last full stop is part of an address."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (path for pattern in PAGES for path in ROOT.glob(pattern)):
        for match in ADDRESS.findall(text_of(path)):
            if not match.startswith(HERE):
                found[match.split("#")[0].rstrip(".,;:*")].add(path.relative_to(ROOT).as_posix())
    for path in ROOT.glob("book/*.bib"):
        for kind, name in ENTRY.findall(text_of(path)):
            found[PREFIX[kind] + name].add(path.relative_to(ROOT).as_posix())
    return {address: sorted(found[address]) for address in sorted(found)}


def complaint(address: str) -> str | None:
    """What is wrong with an address, or None where somebody answers; 403 and 429 are said to programs, not readers."""
    request = urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0 (the links of a book)"})
    try:
        with urllib.request.urlopen(request, timeout=20):
            return None
    except urllib.error.HTTPError as error:
        return None if error.code in (403, 429) else str(error)
    except OSError as error:
        return str(error)


def main(ask: bool) -> None:
    bad = 0
    for address, files in addresses().items():
        wrong = complaint(address) if ask else None
        bad += wrong is not None
        print(address, f"({', '.join(files)})", *(["BROKEN:", wrong] if wrong else []))
    if bad:
        raise SystemExit(f"{bad} addresses did not answer.")


if __name__ == "__main__":
    main("--ask" in sys.argv)
