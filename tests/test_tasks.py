"""Sequences of tasks: what the learner sees of the data."""

from dataclasses import replace

import pytest
import torch

from hnetlib.data import load_images
from hnetlib.errors import SizeError
from hnetlib.tasks import (
    CHANNEL_MEAN,
    CHANNEL_STD,
    POLYNOMIALS,
    Scenario,
    channels_first,
    colours,
    crop_and_flip,
    permuted,
    polynomials,
    prepared,
    split,
    split_colours,
    standardized,
)

DIGITS = load_images("digits")


def test_permuted_colours_get_their_border_around_the_picture() -> None:
    images = load_images("shapes")
    (task,) = permuted(images, 1, padding=2)
    height, width, colours = images.train_images.shape[1:]
    assert task.train.x.shape[1:] == (height + 4, width + 4, colours)
    assert torch.equal(task.train.x[:, 2:-2, 2:-2], images.train_images)
    assert not task.train.x[:, :2].any()


def test_heads_of_the_three_scenarios() -> None:
    assert [s.num_outputs(5, 2) for s in Scenario] == [10, 2, 10]
    assert [s.head(3, 2) for s in Scenario] == [slice(6, 8), slice(0, 2), slice(6, 8)]


def test_polynomials_are_those_of_equations_7_to_9() -> None:
    at = torch.tensor([[-3.0], [0.5], [2.5]])
    expected = torch.tensor([[0.0], [-0.5], [-0.125]])
    for (g, _), x, y in zip(POLYNOMIALS, at, expected, strict=True):
        torch.testing.assert_close(g(x), y)
    for task, (g, (low, high)) in zip(polynomials(seed=3), POLYNOMIALS, strict=True):
        assert len(task.train) == 100
        assert low <= task.train.x.min() and task.train.x.max() <= high
        residual = (task.train.y - g(task.train.x)).std().item()
        assert residual == pytest.approx(0.05, rel=0.3)
        assert torch.equal(task.test.y, g(task.test.x))


def test_polynomials_depend_on_the_seed_alone() -> None:
    assert torch.equal(polynomials(1)[2].train.x, polynomials(1)[2].train.x)
    assert not torch.equal(polynomials(1)[2].train.x, polynomials(2)[2].train.x)


def test_permuted_tasks_hold_the_same_pixels_in_another_order() -> None:
    tasks = permuted(DIGITS, 3, padding=1)
    raw = DIGITS.test_images[:20]
    seen = [task.transform(task.test.x[:20]) for task in tasks]
    assert seen[0].shape == (20, 100)
    inner = seen[0].view(20, 10, 10)[:, 1:-1, 1:-1]
    torch.testing.assert_close(inner, raw.float() / 255)
    for other in seen[1:]:
        assert not torch.equal(other, seen[0])
        assert torch.equal(other.sort(dim=1).values, seen[0].sort(dim=1).values)
    assert not torch.equal(seen[1], seen[2])


def test_a_permutation_is_the_same_for_training_and_test_and_for_the_same_seed() -> None:
    first, again = permuted(DIGITS, 2, seed=5)[1], permuted(DIGITS, 2, seed=5)[1]
    assert torch.equal(first.transform(first.train.x[:5]), again.transform(again.train.x[:5]))
    other = permuted(DIGITS, 2, seed=6)[1]
    assert not torch.equal(first.transform(first.train.x[:5]), other.transform(other.train.x[:5]))


def test_a_prepared_task_gives_the_same_batches() -> None:
    task = standardized(permuted(DIGITS, 2)[1])
    ready, index = prepared(task), torch.arange(7)
    assert torch.equal(ready.batch(index)[0], task.batch(index)[0])
    torch.testing.assert_close(ready.transform(ready.test.x), task.transform(task.test.x))
    assert prepared(changing := replace(task, augment=torch.neg)) is changing


def test_permuted_tasks_share_their_images() -> None:
    first, second = permuted(DIGITS, 2)
    assert first.train.x.data_ptr() == second.train.x.data_ptr()


def test_split_deals_out_every_image_once_with_labels_from_0() -> None:
    tasks = split(DIGITS)
    assert [t.head for t in tasks] == [slice(i, i + 2) for i in range(0, 10, 2)]
    assert sum(len(t.train) for t in tasks) == len(DIGITS.train_labels)
    assert sum(len(t.test) for t in tasks) == len(DIGITS.test_labels)
    for t, task in enumerate(tasks):
        assert task.train.y.unique().tolist() == [0, 1]
        ones = DIGITS.train_images[DIGITS.train_labels == 2 * t + 1]
        assert torch.equal(task.train.x[task.train.y == 1], ones)
        assert task.transform(task.train.x).max() <= 1


def test_split_refuses_what_cannot_be_dealt_out() -> None:
    with pytest.raises(SizeError, match="10 classes of digits cannot be split into tasks of 3"):
        split(DIGITS, classes=3)


def test_standardized_inputs() -> None:
    task = standardized(permuted(load_images("digits"), 2, padding=2)[1])
    x = task.transform(task.train.x)
    assert x.mean().item() == pytest.approx(0, abs=1e-5) and x.std().item() == pytest.approx(1, abs=1e-5)


# -- pictures in colour

SHAPES = load_images("shapes")


def test_colours_are_normalized_each_by_its_own() -> None:
    x = SHAPES.train_images[:9]
    expected = (x.float() / 255 - torch.tensor(CHANNEL_MEAN)) / torch.tensor(CHANNEL_STD)
    torch.testing.assert_close(colours(x).permute(0, 2, 3, 1), expected)
    assert colours(x).is_contiguous(memory_format=torch.channels_last)


def test_every_crop_is_a_shift_of_the_padded_picture_or_of_its_mirror() -> None:
    x = torch.arange(1, 6 * 5 * 3 + 1, dtype=torch.uint8).view(1, 6, 5, 3).expand(300, -1, -1, -1)
    torch.manual_seed(0)
    made = crop_and_flip(x, padding=2)
    padded = torch.nn.functional.pad(x[0], (0, 0, 2, 2, 2, 2))
    windows = [padded[top : top + 6, left : left + 5] for top in range(5) for left in range(5)]
    allowed = {window.numpy().tobytes() for w in windows for window in (w, w.flip(1))}
    found = {picture.numpy().tobytes() for picture in made}
    assert len(allowed) == 50 and found <= allowed
    assert len(found) > 45, "300 draws out of 50"


def test_crops_depend_on_the_random_state_alone() -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = crop_and_flip(SHAPES.train_images[:50])
    assert not torch.equal(crop_and_flip(SHAPES.train_images[:50]), first)
    torch.set_rng_state(state)
    assert torch.equal(crop_and_flip(SHAPES.train_images[:50]), first)


def test_only_training_is_augmented() -> None:
    task = split_colours([SHAPES], 2, 4)[1]
    some = torch.arange(40)
    assert not torch.equal(task.batch(some)[0], task.transform(task.train.x[some]))
    plain = split_colours([SHAPES], 2, 4, augment=False, normalize=False)[1]
    assert torch.equal(plain.batch(some)[0], channels_first(task.train.x[some]))
    assert torch.equal(task.batch(some)[1], task.train.y[some])


def test_several_data_sets_are_dealt_out_one_after_another() -> None:
    tasks = split_colours([SHAPES, SHAPES], 10, 4)
    assert [task.head for task in tasks] == [slice(4 * t, 4 * t + 4) for t in range(10)]
    assert tasks[5].name == "shapes, classes 0 to 3"
    assert torch.equal(tasks[6].train.x, SHAPES.train_images[600:1200])
    with pytest.raises(SizeError, match="shapes make 5 tasks, not 6"):
        split_colours([SHAPES], 6, 4)
