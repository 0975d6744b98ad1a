"""Pictures that can be moved: alive in notebooks, and on a page with no kernel behind it."""

from hnetlib.widgets.chunks import ChunkExplorer

__all__ = ["ChunkExplorer"]
