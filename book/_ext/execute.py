"""Execute notebooks side by side, as many as there are cores, into the cache that the build of the site reads.

    python book/_ext/execute.py CACHE TIMEOUT NOTEBOOK [NOTEBOOK ...]

Sphinx alone would execute one after another. What the cache has is left alone. A notebook that fails is only named
here: Sphinx executes it once more, shows where it failed, and ends the build.
"""

import logging
import sys
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor


def execute(folder: Path, timeout: int, notebooks: list[str]) -> None:
    """Fill the cache in `folder`; `timeout` is for one cell, in seconds."""
    cache = get_cache(folder)
    keys = [cache.add_nb_to_project(notebook).pk for notebook in notebooks]
    executor = load_executor("local-parallel", cache, logging.getLogger("execute"))
    executor.run_and_cache(filter_pks=keys, timeout=timeout)


if __name__ == "__main__":
    execute(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
