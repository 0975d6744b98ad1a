"""The methods to compare with: the property that defines each, and that it remembers."""

import copy
import itertools
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hnetlib import metrics
from hnetlib.baselines import EWC, HAT, SI, FineTuning, FromScratch, Joint
from hnetlib.baselines.hat import Part, Schedule, anneal, compensation, open_units
from hnetlib.baselines.si import PathIntegral
from hnetlib.data import load_images
from hnetlib.errors import DivergedError, SizeError, UnknownTaskError
from hnetlib.learner import Training, minibatches, train
from hnetlib.networks import MLP
from hnetlib.target import of_head
from hnetlib.tasks import Scenario, Split, Task, one_softmax, permuted, split

QUICK = Training(iterations=200, batch_size=64, learning_rate=0.003)


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return permuted(load_images("digits"), 3)


def network(outputs: int = 30) -> MLP:
    torch.manual_seed(0)
    return MLP([64, 60, outputs])


def test_the_fisher_information_is_the_mean_of_squared_gradients_of_single_examples(tasks: list[Task]) -> None:
    few = replace(tasks[1], train=Split(tasks[1].train.x[:7], tasks[1].train.y[:7]))
    learner = EWC(network(), QUICK)
    found = learner.updated(few)
    expected = [torch.zeros_like(p) for p in learner.weights]
    for x, y in zip(few.train.x, few.train.y, strict=True):
        loss = F.cross_entropy(learner.module(few.transform(x[None]))[:, few.head], y[None])
        for total, gradient in zip(expected, torch.autograd.grad(loss, learner.weights), strict=True):
            total += gradient.square() / 7
    for mine, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, wanted)
    assert found[-1][:10].sum() == 0 and found[-1][10:20].sum() > 0, "only the task's own head matters"


def test_fisher_information_decays_with_gamma(tasks: list[Task]) -> None:
    learner = EWC(network(), QUICK, gamma=0.5)
    learner.importance = [torch.ones_like(p) for p in learner.weights]
    plain = EWC(network(), QUICK).updated(tasks[0])
    for mine, new in zip(learner.updated(tasks[0]), plain, strict=True):
        torch.testing.assert_close(mine, 0.5 + new)


def test_ewc_refuses_layers_that_it_does_not_know() -> None:
    module = nn.Sequential(nn.Linear(64, 5), nn.LayerNorm(5), nn.Linear(5, 30))
    with pytest.raises(SizeError, match="linear layers only"):
        EWC(module, QUICK)


@pytest.mark.parametrize("make", [partial(EWC, strength=3.0), partial(SI, strength=3.0)])
def test_the_pull_is_the_gradient_of_the_penalty(make: partial, tasks: list[Task]) -> None:
    learner = make(network(), QUICK)
    learner.heads = [tasks[0].head]
    learner.importance = [torch.rand_like(p) for p in learner.weights]
    learner.anchor = [torch.randn_like(p) for p in learner.weights]
    factor = 3.0 * (0.5 if isinstance(learner, EWC) else 1.0)  # λ/2, or c
    parts = zip(learner.importance, learner.weights, learner.anchor, strict=True)
    penalty = factor * torch.stack([(w * (p - a) ** 2).sum() for w, p, a in parts]).sum()
    expected = torch.autograd.grad(penalty, learner.weights)
    for p in learner.weights:
        p.grad = torch.ones_like(p)
    learner.before_step()
    for p, wanted in zip(learner.weights, expected, strict=True):
        torch.testing.assert_close(p.grad, 1 + wanted)


def test_the_path_integral_adds_up_to_what_the_loss_fell_on_a_quadratic() -> None:
    torch.manual_seed(0)
    root = torch.randn(6, 6, dtype=torch.float64)
    curvature, theta = root.T @ root, torch.randn(6, dtype=torch.float64)
    path, start = PathIntegral([theta]), 0.5 * theta @ curvature @ theta
    for _ in range(20_000):
        gradient = curvature @ theta
        after = theta - 1e-4 * gradient
        path.add([gradient], [theta], [after])
        theta = after
    fell = start - 0.5 * theta @ curvature @ theta
    assert path.work[0].sum().item() == pytest.approx(fell.item(), rel=1e-3)


def test_si_counts_the_task_alone_and_starts_afresh(tasks: list[Task]) -> None:
    """With whole batches and small steps, what is counted is what the task's loss fell, penalty or no penalty."""
    task = tasks[1]
    x = task.transform(task.train.x)

    def loss(learner: SI) -> float:
        with torch.no_grad():
            return task.loss(learner.outputs(x, task.head), task.train.y).item()

    learner = SI(network(), QUICK, strength=1.0)
    learner.learn(tasks[0])
    learner.training = Training(300, len(task.train), 1e-4)
    before = loss(learner)
    learner.learn(task)
    work = sum(part.sum().item() for part in learner.path.work)
    assert work == pytest.approx(before - loss(learner), rel=0.02)


def test_si_may_count_the_penalty_too(tasks: list[Task]) -> None:
    """The way is the same; what is counted differs by what the penalty grew from zero."""
    work = {}
    for together in (False, True):
        torch.manual_seed(0)
        learner = SI(network(), QUICK, strength=1.0, together=together)
        learner.learn(tasks[0])
        learner.importance = [torch.ones_like(p) for p in learner.weights]
        anchor, learner.training = learner.anchor, Training(300, len(tasks[1].train), 1e-4)
        learner.learn(tasks[1])
        work[together] = sum(part.sum().item() for part in learner.path.work)
    grown = sum((p - a).square().sum().item() for p, a in zip(learner.weights, anchor, strict=True))
    assert work[False] - work[True] == pytest.approx(grown, rel=0.02)


def test_one_adam_keeps_its_moments_from_task_to_task_and_through_a_failure(tasks: list[Task]) -> None:
    """Step by step against an Adam of our own; a learner that is put back has its moments back, too."""
    learner = EWC(network(), Training(5, 32), strength=0.0, one_adam=True)
    module, adam = copy.deepcopy(learner.module), None
    for task in tasks[:2]:
        adam = adam or torch.optim.Adam(module.parameters(), 1e-4, fused=True)
        for x, y in itertools.islice(minibatches(task, learner.training), 5):
            adam.zero_grad()
            task.loss(of_head(module(x), task.head), y).backward()
            adam.step()
        learner.learn(task)
    assert all(torch.equal(p, q) for p, q in zip(learner.module.parameters(), module.parameters(), strict=True))
    before = copy.deepcopy(learner.state_dict()["optimizer"])
    learner.after_step = lambda: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        learner.learn(tasks[2])
    torch.testing.assert_close(learner.state_dict()["optimizer"], before, rtol=0, atol=0)


@pytest.mark.parametrize("make", [partial(EWC, strength=100.0), partial(SI, strength=1.0)])
def test_it_forgets_less_than_fine_tuning(make: partial, tasks: list[Task]) -> None:
    protected = metrics.learn_all(make(network(), QUICK), tasks)
    unprotected = metrics.learn_all(FineTuning(network(), QUICK), tasks)
    assert metrics.during(protected) > 85
    assert metrics.forgetting(protected) < metrics.forgetting(unprotected) / 2


SGD = Training(iterations=400, batch_size=64, learning_rate=0.05)


def test_hat_leaves_what_binary_gates_of_old_tasks_use_exactly_as_it_was(tasks: list[Task]) -> None:
    learner, x = HAT(network(), SGD), tasks[0].transform(tasks[0].test.x)
    learner.learn(tasks[0])
    learner.embeddings[0] = learner.embeddings[0].sign() * 6  # gates exactly 0 or 1
    learner.used = torch.sigmoid(learner.s_max * learner.embeddings[0])
    assert set(learner.used.tolist()) == {0.0, 1.0}
    before, weight = learner.predict(x, 0), learner.layers[0].weight.detach().clone()
    learner.learn(tasks[1])
    assert torch.equal(learner.predict(x, 0), before)
    changed = (learner.layers[0].weight != weight).any(dim=1)
    assert not changed[learner.embeddings[0] > 0].any()
    assert changed.any(), "units that the first task leaves are free to learn"


def test_hat_closes_weights_between_used_units() -> None:
    torch.manual_seed(0)
    learner = HAT(MLP([3, 4, 2, 5]), SGD)
    learner.used = torch.rand(6)
    first, second = learner.used.split([4, 2])
    free = learner.free()
    assert [tuple(mask.shape) for mask in free] == [(4, 1), (4,), (2, 4), (2,)]
    for i in range(4):
        assert free[0][i].tolist() == pytest.approx([1 - first[i].item()])
        assert free[1][i].item() == pytest.approx(1 - first[i].item())
    for i in range(2):
        for j in range(4):
            assert free[2][i, j].item() == pytest.approx(1 - min(second[i].item(), first[j].item()))


@pytest.mark.parametrize("open_of_each", [(3, 40), (40, 3), (3, 3), (40, 40)])
def test_hat_leaves_out_closed_units_without_a_difference(open_of_each: tuple[int, int]) -> None:
    torch.manual_seed(0)
    learner = HAT(MLP([64, 60, 50, 10]).double(), SGD)
    gates = []
    for size, opened in zip(learner.units, open_of_each, strict=True):
        gate = torch.rand(size, dtype=torch.float64) * (torch.randperm(size) < opened)
        gates.append(gate.requires_grad_())
        found = open_units(gate)
        if 5 * opened >= 4 * size:
            assert found is None
        else:
            assert found is not None and torch.equal(gate[found], gate[gate > 0])
    x, first, second = torch.rand(7, 64, dtype=torch.float64), *learner.layers[:2]
    plain = learner.layers[2](F.relu(second(F.relu(first(x)) * gates[0])) * gates[1])[:, 2:6]
    outputs = learner.gated(x, Part(learner.module, gates), slice(2, 6))
    torch.testing.assert_close(outputs, plain)
    weights = list(learner.module.parameters())
    expected = torch.autograd.grad(plain.square().sum(), [*weights, *gates])
    got = torch.autograd.grad(outputs.square().sum(), [*weights, *gates])
    torch.testing.assert_close(got[: len(weights)], expected[: len(weights)])
    for mine, theirs, gate in zip(got[-2:], expected[-2:], gates, strict=True):  # a closed gate stays closed: σ' is 0
        torch.testing.assert_close(mine * gate, theirs * gate)
    part = Part(learner.module, gates, apart=True)
    learner.gated(x, part, slice(2, 6)).square().sum().backward()
    with torch.no_grad():
        wanted = [weight - slope for weight, slope in zip(weights, expected, strict=False)]
        torch._foreach_sub_(part.values, [value.grad for value in part.values if value.grad is not None])
        part.put_back()
    torch.testing.assert_close([weight.detach() for weight in weights], wanted)


@pytest.mark.parametrize("s", [0.5, 2.0, 7.0])
def test_hat_compensates_the_gradient_for_the_annealing(s: float) -> None:
    e = torch.linspace(-3, 3, 13, dtype=torch.float64, requires_grad=True)
    (annealed,) = torch.autograd.grad(torch.sigmoid(s * e).sum(), e)
    (plain,) = torch.autograd.grad(torch.sigmoid(e).sum(), e)
    torch.testing.assert_close(annealed * compensation(e.detach(), s, 400.0), 400.0 * plain, rtol=1e-6, atol=0)


def test_hat_anneals_from_nearly_flat_to_steepest() -> None:
    assert [anneal(step, 5, 400.0) for step in (0.0, 4.0)] == [1 / 400, 400.0]
    assert anneal(2.0, 5, 400.0) == pytest.approx(200, rel=0.01)


def test_hat_remembers(tasks: list[Task]) -> None:
    learner = HAT(network(), SGD, dropout=(0.0, 0.0))
    matrix = metrics.learn_all(learner, tasks)
    assert metrics.during(matrix) > 80 and metrics.forgetting(matrix) < 3
    assert learner.used.mean() < 0.99, "tasks leave units for others"


@pytest.mark.parametrize("make", [FineTuning, EWC, SI, HAT])
def test_a_learner_can_take_another_ones_place(make: type[FineTuning], tasks: list[Task]) -> None:
    first, second = make(network(), QUICK), make(network(), QUICK)
    first.learn(tasks[0])
    second.load_state_dict(first.state_dict())
    for learner in (first, second):
        torch.manual_seed(1)
        learner.learn(tasks[1])
    for p, q in zip(first.module.parameters(), second.module.parameters(), strict=True):
        assert torch.equal(p, q)


def test_hat_lowers_its_learning_rate_ends_early_and_keeps_the_best_weights() -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.05)
    schedule, rates, losses = Schedule(optimizer, [weight], patience=2), [], [3.0, 1.0, 2.0, 2.0, 0.5] + [0.9] * 20
    for epoch, loss in enumerate(losses):
        if schedule.finished():
            break
        with torch.no_grad():
            weight.fill_(epoch)
        schedule.epoch_done(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[:6] == pytest.approx([0.05, 0.05, 0.05, 0.05 / 3, 0.05 / 3, 0.05 / 3])
    assert epoch == 15 and rates[-1] < 1e-4 < rates[-2], "four epochs, one better, and two for each further third"
    schedule.keep_best()
    assert weight.item() == 4


def test_training_that_has_ended_early_is_not_taken_up_again(tasks: list[Task]) -> None:
    """So it is for a run that was killed between the end of training and the end of testing."""

    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        raise AssertionError("not a single step")

    train(tasks[0], QUICK, step, {}, finished=lambda: True)


def test_hat_ends_when_its_learning_rate_is_too_small_with_the_weights_of_the_least_loss(
    tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    learner = HAT(network(), replace(SGD, iterations=3000), patience=1)
    epochs: list[tuple[float, int, list[torch.Tensor]]] = []
    done = Schedule.epoch_done

    def watch(schedule: Schedule, loss: float) -> None:
        epochs.append((loss, int(schedule.steps), [p.detach().clone() for p in schedule.weights]))
        done(schedule, loss)

    monkeypatch.setattr(Schedule, "epoch_done", watch)
    learner.learn(tasks[0])
    assert epochs[-1][1] < 3000
    _, _, best = min(epochs, key=lambda epoch: epoch[0])
    kept = [*learner.module.parameters(), learner.embeddings[0]]
    assert all(torch.equal(p, q) for p, q in zip(kept, best, strict=True))


def test_hat_trains_with_a_small_learning_rate_and_with_no_unit_left(tasks: list[Task]) -> None:
    learner = HAT(network(), replace(SGD, learning_rate=1e-5, iterations=30))
    weight = learner.layers[0].weight
    before = weight.detach().clone()
    learner.learn(tasks[0])
    assert not torch.equal(weight, before), "a rate below the least one is no reason to stop at once"
    learner.used = torch.ones_like(learner.used)
    learner.learn(tasks[1])
    assert all(p.isfinite().all() for p in learner.module.parameters())


def test_hat_keeps_the_activation_of_its_network(tasks: list[Task]) -> None:
    learner = HAT(MLP([64, 60, 30], nn.Sigmoid), SGD)
    x = tasks[0].transform(tasks[0].test.x)
    torch.testing.assert_close(learner.gated(x, Part(learner.module, [torch.ones(60)]), None), learner.module(x))


def test_a_loss_that_is_not_finite_is_seen_when_training_ends_early(tasks: list[Task]) -> None:
    bad = replace(tasks[0], transform=lambda x: tasks[0].transform(x) * torch.nan)
    with pytest.raises(DivergedError):
        HAT(network(), SGD, patience=1).learn(bad)


@pytest.mark.parametrize("make", [FineTuning, EWC, SI, HAT])
def test_what_does_not_end_well_leaves_the_learner_as_it_was(make: type[FineTuning], tasks: list[Task]) -> None:
    """Ctrl-C in training, and after it, while the task is consolidated."""
    learner = make(network(), replace(QUICK, iterations=20))
    learner.learn(tasks[0])
    x = tasks[0].transform(tasks[0].test.x)
    before = learner.predict(x, 0)

    def stop(*arguments: object) -> Any:
        raise KeyboardInterrupt

    for broken in (replace(tasks[1], loss=stop), tasks[1]):
        if broken is tasks[1]:
            learner.consolidate = stop  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            learner.learn(broken)
        assert torch.equal(learner.predict(x, 0), before) and len(learner.heads) == 1


def test_networks_from_scratch_know_nothing_of_each_other(tasks: list[Task]) -> None:
    def tuned() -> FineTuning:
        torch.manual_seed(1)
        return FineTuning(network(), QUICK)

    alone, learner = tuned(), FromScratch(tuned)
    alone.learn(tasks[1])
    for task in tasks[:2]:
        learner.learn(task)
    x = tasks[1].transform(tasks[1].test.x)
    assert torch.equal(learner.predict(x, 1), alone.predict(x, 0)), "as if there had been no other task"
    assert metrics.accuracy(learner, tasks[0], 0) > 90 and metrics.accuracy(learner, tasks[1], 1) > 90
    other = FromScratch(tuned)
    other.load_state_dict(learner.state_dict())
    assert torch.equal(other.predict(x, 1), learner.predict(x, 1))


def test_joint_training_sees_all_tasks_so_far_in_equal_parts(tasks: list[Task]) -> None:
    learner = Joint(network(), QUICK, tasks=tasks)
    torch.manual_seed(1)
    watched = metrics.watched(learner, tasks, [QUICK.iterations])
    torch.manual_seed(1)
    matrix = metrics.learn_all(learner, tasks)
    assert torch.equal(watched[:, 0].nan_to_num(), matrix.nan_to_num()), "watched or not, the same"
    assert metrics.during(matrix) > 90 and metrics.forgetting(matrix) < 1
    seen: list[tuple[slice | None, int]] = []
    learner.heads = learner.heads[:2]
    learner.outputs = lambda x, head: (seen.append((head, len(x))), torch.zeros(len(x), 10))[1]  # type: ignore
    learner.loss(tasks[2], tasks[2].transform(tasks[2].train.x[:64]), tasks[2].train.y[:64])
    assert seen == [(tasks[2].head, 22), (tasks[0].head, 22), (tasks[1].head, 22)]
    with pytest.raises(SizeError, match="number 3 is not 'permutation 1'"):
        learner.learn(tasks[0])


def test_fisher_information_can_be_estimated_from_a_part_of_the_examples(tasks: list[Task]) -> None:
    whole, part = EWC(network(), QUICK), EWC(network(), QUICK, examples=1000)
    squares, seen = part.squares, []

    def watched(x: torch.Tensor, *rest: Any) -> list[torch.Tensor]:
        seen.append(len(x))
        return squares(x, *rest)

    part.squares = watched  # type: ignore[assignment]
    scale = sum(f.sum() for f in part.updated(tasks[0])) / sum(f.sum() for f in whole.updated(tasks[0]))
    assert sum(seen) == 1000
    assert scale == pytest.approx(1, abs=0.1)


def test_one_softmax_grows_with_the_tasks_and_leaves_the_data_alone() -> None:
    tasks = split(load_images("digits"), scenario=Scenario.CL3)
    grown = one_softmax(tasks)
    assert [task.head for task in grown] == [slice(0, 2), slice(0, 4), slice(0, 6), slice(0, 8), slice(0, 10)]
    for t, (task, before) in enumerate(zip(grown, tasks, strict=True)):
        assert torch.equal(task.test.y, before.test.y + 2 * t) and torch.equal(task.train.y, before.train.y + 2 * t)
        assert task.train.x is before.train.x
    shared = split(load_images("digits"), scenario=Scenario.CL2)
    with pytest.raises(SizeError, match=r"needs heads side by side; 'classes 2 to 3' has slice\(0, 2"):
        one_softmax(shared)


def test_the_loss_of_cl3_is_a_softmax_over_all_classes_so_far() -> None:
    learner = EWC(network(10), Training(1, 64))
    tasks = one_softmax(split(load_images("digits"), scenario=Scenario.CL3))
    x, y = tasks[1].transform(tasks[1].train.x[:9]), tasks[1].train.y[:9]
    scores = learner.module(x)
    expected = scores[:, :4].exp().sum(dim=1).log() - scores[torch.arange(9), y]
    torch.testing.assert_close(learner.loss(tasks[1], x, y), expected.mean())
    learner.learn(tasks[0])
    learner.learn(tasks[1])
    assert all(importance[:4].sum() > 0 for importance in learner.importance[-2:]), "old classes matter, too"
    assert learner.importance[-1][4:].sum() == 0


def test_without_the_task_the_answer_is_among_all_classes_so_far() -> None:
    learner = FineTuning(network(10), QUICK)
    tasks = one_softmax(split(load_images("digits"), scenario=Scenario.CL3))[:3]
    matrix = metrics.learn_all(learner, tasks, metrics.accuracy_among_all)
    assert learner.predict(torch.rand(4, 64)).shape == (4, 6)
    x = tasks[0].transform(tasks[0].test.x)
    right = learner.module(x)[:, :6].argmax(dim=1) == tasks[0].test.y
    assert matrix[2, 0].item() == pytest.approx(right.double().mean().item() * 100)
    assert matrix[2, 0] < 5 and metrics.accuracy(learner, tasks[0], 0) > 50, "the newest classes take all answers"
    assert metrics.during(matrix) > 90


def test_one_head_answers_without_the_task_and_several_do_not(tasks: list[Task]) -> None:
    x, short = torch.rand(4, 64), Training(1, 64)
    for make, scenario in ((FineTuning, Scenario.CL1), (HAT, Scenario.CL2)):
        learner = make(network(), short)
        for task in permuted(load_images("digits"), 2, scenario):
            learner.learn(task)
        with pytest.raises(UnknownTaskError, match="Give `task`"):
            learner.predict(x)
    shared = SI(network(10), short)
    with pytest.raises(UnknownTaskError):
        shared.predict(x)
    for task in permuted(load_images("digits"), 2, Scenario.CL2):
        shared.learn(task)
    assert torch.equal(shared.predict(x), shared.predict(x, 0))
