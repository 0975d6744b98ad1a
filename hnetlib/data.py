"""Image sets in memory: digits and shapes that need no download; MNIST and CIFAR from a cache that fills itself.

The cache is one NAME.safetensors per data set: four tensors and a SHA-256 over their bytes. That format
cannot carry code. The official CIFAR files are Python pickles, which can: torchvision opens them only once
their checksums have matched, and we keep none of them.
"""

import hashlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hnetlib.errors import DataError, UnknownDatasetError
from hnetlib.shapes import paint

KEYS = ("train_images", "train_labels", "test_images", "test_labels")  # in the order of the hash
SILENCE = 30.0  # seconds without a byte before a download counts as failed


@dataclass(frozen=True, eq=False)
class Images:
    """An image set. Pixels are bytes as stored, colours (if any) last; labels count from 0."""

    name: str
    train_images: UInt8[Tensor, " train *pixels"]
    train_labels: Int64[Tensor, " train"]
    test_images: UInt8[Tensor, " test *pixels"]
    test_labels: Int64[Tensor, " test"]
    sha256: str

    @property
    def num_classes(self) -> int:
        """Classes in the training half."""
        return int(self.train_labels.max()) + 1

    def to(self, device: torch.device | str) -> "Images":
        """The same images on another device."""
        return replace(self, **{key: getattr(self, key).to(device) for key in KEYS})


def data_dir() -> Path:
    """The folder of the cache: $HNETLIB_DATA, or ~/.cache/hnetlib."""
    return Path(os.environ.get("HNETLIB_DATA") or "~/.cache/hnetlib").expanduser()


def load_images(name: str, device: torch.device | str = "cpu") -> Images:
    """An image set by its name: "digits", "shapes" (no download), "mnist", "cifar10" or "cifar100" (fine labels).

    Raises:
        UnknownDatasetError: there is no such name.
        DataError: the file in `data_dir()` is damaged, or it is missing and cannot be fetched.
    """
    if name not in BUILDERS:
        raise UnknownDatasetError(f"There is no data set {name!r}; the known ones are {', '.join(BUILDERS)}.")
    return BUILDERS[name]().to(device)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the bytes of the four tensors, read in place."""
    sha = hashlib.sha256()
    for key in KEYS:
        sha.update(tensors[key].reshape(-1).numpy().data)
    return sha.hexdigest()


def digits() -> Images:
    """The 1,797 handwritten digits that ship with scikit-learn, 8 x 8: 1,437 to train on, 360 to test.

    Pixels are scaled from 0-16 to 0-255. In each class, every fifth digit of a fixed shuffle is for testing.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("'digits' come with scikit-learn: pip install 'hnetlib[data]'.") from error
    pixels, labels = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
    images, labels = (pixels * 255 / 16).round().to(torch.uint8).reshape(-1, 8, 8), labels.long()
    # RandomState, because numpy promises that its numbers never change.
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(labels)))
    test = torch.zeros(len(labels), dtype=torch.bool)
    test[order[labels[order].argsort(stable=True)][::5]] = True
    tensors = dict(zip(KEYS, (images[~test], labels[~test], images[test], labels[test]), strict=True))
    return Images(name="digits", sha256=digest(tensors), **tensors)


def shapes() -> Images:
    """20 classes of painted pictures, 32 x 32 in colour (`hnetlib.shapes`): 150 of each to train on, 50 to test."""
    tensors = dict(zip(KEYS, paint(150, seed=0) + paint(50, seed=1), strict=True))
    return Images(name="shapes", sha256=digest(tensors), **tensors)


def cached(name: str, official: str) -> Images:
    """An image set from `data_dir()`; where its file is missing, torchvision's class `official` fills it."""
    path = data_dir() / f"{name}.safetensors"
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where a folder may not be entered
        fetch(path, official)
    return read(path)


def read(path: Path) -> Images:
    """Load one file of the cache and check it."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in KEYS}
            stated = (file.metadata() or {}).get("sha256")
        why = flaw(tensors, stated)
    except SafetensorError as error:
        why = str(error)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}).") from None
    if why:
        raise DataError(f"{path} is damaged ({why}). Delete it, and it is fetched again.")
    return Images(name=path.stem, sha256=str(stated), **tensors)


def flaw(tensors: Mapping[str, Tensor], stated: str | None) -> str:
    """What is wrong with the content of a file whose header states this hash; empty where nothing is."""
    for images, labels in (KEYS[:2], KEYS[2:]):
        x, y = tensors[images], tensors[labels]
        if x.dtype != torch.uint8 or y.dtype != torch.int64 or x.ndim < 3 or y.shape != x.shape[:1]:
            return f"{images} and {labels} should be bytes, N x H x W or N x H x W x C, and N int64 labels"
    found = digest(tensors)
    return "" if found == stated else f"the sha256 of its tensors is {found}, but its header says {stated}"


def fetch(path: Path, official: str) -> None:
    """Download the official files, check them, and put their tensors at `path`: all of it, or nothing."""
    name = path.stem
    instead = (
        f"copy {path.name}, made by load_images({name!r}) on another machine, to {path} "
        "(HNETLIB_DATA sets the folder); 'digits' needs no download."
    )
    try:
        import torchvision
    except ImportError as error:
        raise DataError(
            f"Fetching {name} takes torchvision: pip install 'hnetlib[data]'. Without it: {instead}"
        ) from error
    with scratch_folder(path) as scratch, patience(SILENCE):
        try:
            dataset = getattr(torchvision.datasets, official)
            halves = dataset(scratch, train=True, download=True), dataset(scratch, train=False)
            tensors = dict(zip(KEYS, as_tensors(halves[0]) + as_tensors(halves[1]), strict=True))
            note = f"the official files, downloaded and verified by torchvision {torchvision.__version__}"
            # Not save_file, whose files only their owner can read: a cache may be shared.
            (scratch / path.name).write_bytes(save(tensors, {"sha256": digest(tensors), "note": note}))
            (scratch / path.name).replace(path)
        except (OSError, RuntimeError, HTTPException) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise DataError(
                f"{name} is missing from {path.parent} and could not be fetched ({why}). Without a network: {instead}"
            ) from None


def as_tensors(half: object) -> tuple[Tensor, Tensor]:
    """Images and labels of a torchvision data set, whatever it keeps them in."""
    images = torch.as_tensor(half.data).contiguous()  # type: ignore[attr-defined]
    return images, torch.as_tensor(half.targets, dtype=torch.int64)  # type: ignore[attr-defined]


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path`, on the same disk so that a move is atomic, gone afterwards whatever happens."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.partial-{os.getpid()}-")
    except OSError as error:
        raise DataError(
            f"{path.name} cannot be stored in {path.parent} ({error.strerror or error}): "
            "HNETLIB_DATA must name a folder that can be written; 'digits' needs none."
        ) from None
    with scratch as folder:
        yield Path(folder)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Give up on a server that says nothing for so long: torchvision would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


BUILDERS: dict[str, Callable[[], Images]] = {
    "digits": digits,
    "shapes": shapes,
    "mnist": partial(cached, "mnist", "MNIST"),
    "cifar10": partial(cached, "cifar10", "CIFAR10"),
    "cifar100": partial(cached, "cifar100", "CIFAR100"),
}
