"""Which task is this? The batched pass against the loop, entropy against its definition, and where it must work."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from hnetlib import inference
from hnetlib.baselines import EWC
from hnetlib.data import load_images
from hnetlib.errors import UnknownTaskError
from hnetlib.hypernet import HyperNetwork
from hnetlib.inference import AllNetworks, accuracy_by_entropy, entropy, infer, networks, one_by_one
from hnetlib.learner import HyperNetLearner, Training
from hnetlib.metrics import accuracy
from hnetlib.networks import MLP
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Scenario, Task, permuted, split

QUICK = Training(iterations=200, batch_size=64, learning_rate=0.003)


def learner(module: nn.Module, training: Training = QUICK) -> HyperNetLearner:
    target = TargetNetwork(module)
    return HyperNetLearner(target, HyperNetwork(target.num_weights, 8, (16,), 1500, 8), training, beta=0.05)


def learned(module: nn.Module, tasks: list[Task], training: Training = QUICK) -> HyperNetLearner:
    torch.manual_seed(0)
    one = learner(module, training)
    for task in tasks:
        one.learn(task)
    return one


def with_batch_norm(outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(64, 30), nn.BatchNorm1d(30), nn.ReLU(), nn.Linear(30, outputs))


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return permuted(load_images("digits"), 3, Scenario.CL3)


@pytest.fixture(scope="module")
def three(tasks: list[Task]) -> HyperNetLearner:
    return learned(MLP([64, 60, 30]), tasks)


def test_entropy_is_its_definition_and_safe_where_the_definition_is_not() -> None:
    p = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [0.2, 0.3, 0.5]])
    expected = torch.special.entr(p).sum(dim=-1)
    torch.testing.assert_close(entropy(p.clamp(min=1e-30).log()), expected)
    torch.testing.assert_close(entropy(torch.zeros(7)), torch.tensor(7.0).log())
    assert entropy(torch.tensor([0.0, 200.0])) == 0, "not NaN, where a probability rounds to 0"
    sharper = entropy(torch.tensor([[0.0, 30.0], [0.0, 40.0]]))
    assert 0 < sharper[1] < sharper[0], "still told apart where the probability rounds to 1"


@pytest.mark.parametrize("make", [lambda outputs: MLP([64, 40, outputs]), with_batch_norm])
@pytest.mark.parametrize("scenario", [Scenario.CL2, Scenario.CL3])
def test_all_networks_say_what_each_says_alone(make: Callable[[int], nn.Module], scenario: Scenario) -> None:
    tasks = permuted(load_images("digits"), 3, scenario)
    one = learned(make(10 if scenario is Scenario.CL2 else 30), tasks, Training(5, 32, 0.01))
    for batch in (1, 17):
        x = tasks[1].transform(tasks[1].test.x[:batch])
        expected = one_by_one(one, 3, x)
        assert expected.shape == (3, batch, 10)
        torch.testing.assert_close(AllNetworks(one, 3)(x), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(AllNetworks(one, 2)(x), expected[:2], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(expected[0], expected[1], atol=1e-2), "the networks differ"


def test_weights_are_generated_once(three: HyperNetLearner, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, forward = [], three.hnet.forward

    def counted(embedding: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return forward(embedding)

    monkeypatch.setattr(three.hnet, "forward", counted)
    both = networks(three, 3)
    for _ in range(4):
        both(torch.rand(5, 64))
    assert len(calls) == 1


def test_other_learners_and_networks_that_do_not_fit_go_by_the_loop(
    three: HyperNetLearner, tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.rand(6, 64)
    batched = networks(three, 3)(x)
    monkeypatch.setattr(inference, "MOST", 3 * three.target.num_weights - 1)
    assert not isinstance(networks(three, 3), AllNetworks)
    torch.testing.assert_close(networks(three, 3)(x), batched, rtol=1e-4, atol=1e-5)
    other = EWC(MLP([64, 20, 30]), Training(1, 32))
    for task in tasks:
        other.learn(task)
    assert torch.equal(networks(other, 3)(x), torch.stack([other.predict(x, t) for t in range(3)]))


def test_buffers_that_are_not_stored_are_the_last_ones_in_both_forms(tasks: list[Task]) -> None:
    one = learned(with_batch_norm(30), tasks)
    one.store_buffers = False
    x = tasks[0].transform(tasks[0].test.x)
    torch.testing.assert_close(AllNetworks(one, 3)(x), one_by_one(one, 3, x), atol=1e-4, rtol=1e-4)


def test_more_tasks_than_were_learned_are_refused(three: HyperNetLearner) -> None:
    with pytest.raises(UnknownTaskError, match="Task 3 was never learned"):
        networks(three, 4)


def test_the_most_certain_head_answers() -> None:
    outputs = torch.tensor([[[0.0, 1.0], [5.0, 0.0]], [[3.0, 0.0], [0.0, 4.0]]])
    task, label = infer(outputs)
    assert task.tolist() == [1, 0] and label.tolist() == [0, 0]


def test_permuted_tasks_are_told_apart_and_cl2_asks_for_less_than_cl3(
    three: HyperNetLearner, tasks: list[Task]
) -> None:
    cl3, found = accuracy_by_entropy(three, tasks, Scenario.CL3)
    cl2, _ = accuracy_by_entropy(three, tasks, Scenario.CL2)
    given = [accuracy(three, task, t) for t, task in enumerate(tasks)]
    for lowest, middle, highest, right in zip(cl3, cl2, given, found, strict=True):
        assert lowest <= min(right, middle) and lowest <= highest
    assert sum(found) / 3 > 75 and sum(cl3) / 3 > 70


def test_a_small_batch_changes_nothing(
    three: HyperNetLearner, tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = accuracy_by_entropy(three, tasks, Scenario.CL3)
    monkeypatch.setattr("hnetlib.inference.EVALUATION_BATCH", 50)
    parts = accuracy_by_entropy(three, tasks, Scenario.CL3)
    for a, b in zip(whole[0] + whole[1], parts[0] + parts[1], strict=True):
        assert a == pytest.approx(b, abs=0.5), "one prediction of rounding at most"


def test_of_two_classes_the_entropy_sees_the_margin_alone() -> None:
    """So no temperature that all tasks share can change which task is inferred on split MNIST."""
    outputs = 10 * torch.randn(5, 200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    widest = (outputs[..., 0] - outputs[..., 1]).abs().argmax(dim=0)
    for temperature in (0.5, 1.0, 20.0):
        assert torch.equal(infer(outputs / temperature)[0], widest)


def test_split_digits_in_cl3_are_below_the_given_task() -> None:
    tasks = split(load_images("digits"), scenario=Scenario.CL3)
    one = learned(MLP([64, 60, 10]), tasks)
    given = [accuracy(one, task, t) for t, task in enumerate(tasks)]
    cl3, _ = accuracy_by_entropy(one, tasks, Scenario.CL3)
    assert sum(given) / 5 > 95 and 20 < sum(cl3) / 5 < sum(given) / 5 - 5
