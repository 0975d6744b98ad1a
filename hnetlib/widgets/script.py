"""The JavaScript of a widget, put together from files: a page loads one module for each widget, and nothing else."""

from pathlib import Path


def script(*names: str) -> str:
    """The files of this folder, one after another."""
    return "\n".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in names)
