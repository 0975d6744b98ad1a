"""Learning: the method works, breaks when broken, and fails with a clear word."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn, optim

from hnetlib import metrics
from hnetlib.baselines import FineTuning, FromScratch
from hnetlib.data import load_images
from hnetlib.errors import DivergedError, SizeError, UnknownTaskError
from hnetlib.hypernet import HyperNetwork
from hnetlib.learner import HyperNetLearner, Training, minibatches, products
from hnetlib.networks import MLP, Mixed, ResNet
from hnetlib.regularizer import FactoredRegularizer, Lookahead, OutputRegularizer, SampledRegularizer
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Scenario, Split, Task, permuted, polynomials, split, split_colours

QUICK = Training(iterations=150, batch_size=32, learning_rate=0.003)


def learner(num_tasks: int = 3, training: Training = QUICK, **options) -> HyperNetLearner:
    torch.manual_seed(0)
    target = TargetNetwork(MLP([64, 40, Scenario.CL1.num_outputs(num_tasks, 10)]))
    hnet = HyperNetwork(target.num_weights, 8, (16,), chunk_size=1500, chunk_dim=8)
    return HyperNetLearner(target, hnet, training, **options)


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return permuted(load_images("digits"), 3)


def test_the_regularizer_keeps_what_fine_tuning_forgets(tasks: list[Task]) -> None:
    protected = metrics.learn_all(learner(beta=0.05), tasks)
    unprotected = metrics.learn_all(learner(beta=0.0), tasks)
    assert metrics.during(protected) > 85
    assert metrics.forgetting(protected) < 3
    assert metrics.forgetting(unprotected) > 30


def test_batch_norm_is_as_each_task_left_it_or_as_the_last_one_did() -> None:
    tasks = split_colours([load_images("shapes")], 2, 4)
    torch.manual_seed(0)
    target = TargetNetwork(ResNet(8, blocks=1, width=2))
    hnet = HyperNetwork(target.num_weights, 4, (), 200, 4)
    method = HyperNetLearner(target, hnet, Training(5, 32, 0.003))
    x = tasks[0].transform(tasks[0].test.x[:20])
    for task in tasks:
        method.learn(task)
    with torch.no_grad():
        weights = method.hnet(method.hnet.embedding(0))
    for own, buffers in ((True, method.buffers[0]), (False, method.buffers[1])):
        method.store_buffers = own
        assert torch.equal(method.predict(x, 0), target(weights, x, tasks[0].head, buffers))
    assert not torch.equal(method.buffers[0]["1.running_mean"], method.buffers[1]["1.running_mean"])


def test_networks_from_scratch_keep_their_statistics_and_fine_tuning_goes_on_with_them() -> None:
    tasks = split_colours([load_images("shapes")], 2, 4)
    x = tasks[0].transform(tasks[0].test.x[:20])

    def tuned() -> FineTuning:
        torch.manual_seed(0)
        return FineTuning(ResNet(8, blocks=1, width=2), Training(5, 32, 0.003))

    for method in (FromScratch(tuned), tuned()):
        method.learn(tasks[0])
        before = method.predict(x, 0)
        method.learn(tasks[1])
        assert torch.equal(method.predict(x, 0), before) == isinstance(method, FromScratch)


def test_a_new_learner_for_each_task_keeps_all_of_them(tasks: list[Task]) -> None:
    made: list[HyperNetLearner] = []

    def make() -> HyperNetLearner:
        made.append(learner(training=Training(5, 32, 0.003)))
        return made[-1]

    anew = FromScratch(make)
    for task in tasks[:2]:
        anew.learn(task)
    x = tasks[0].transform(tasks[0].test.x[:20])
    assert len(made) == 2 and all(one.hnet.num_tasks == 1 for one in made)
    assert torch.equal(anew.predict(x, 1), made[1].predict(x, 0))
    with pytest.raises(UnknownTaskError, match="tasks 0 to 1"):
        anew.predict(x, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"lookahead": False},
        {"regularizer": OutputRegularizer},
        {"regularizer": partial(SampledRegularizer, num_samples=1)},
        {"move_embeddings": True},
    ],
    ids=["no lookahead", "direct", "sampled", "moving embeddings"],
)
def test_every_variant_remembers(tasks: list[Task], options: dict) -> None:
    matrix = metrics.learn_all(learner(beta=0.05, **options), tasks)
    assert metrics.during(matrix) > 85 and metrics.forgetting(matrix) < 4


def test_direct_and_factored_learn_the_same_network(tasks: list[Task]) -> None:
    short = Training(20, 32, 0.003)
    hnets = []
    for form in (FactoredRegularizer, OutputRegularizer):
        one = learner(training=short, regularizer=form)
        for task in tasks[:2]:
            one.learn(task)
        hnets.append(one.hnet)
    # Entry by entry they need not agree: where a gradient is nearly zero, Adam's step hangs on its last digit.
    first, second = (torch.cat([p.detach().flatten() for p in hnet.parameters()]) for hnet in hnets)
    assert (first - second).norm() < 1e-3 * second.norm()


def test_earlier_embeddings_move_only_when_told_to(tasks: list[Task]) -> None:
    for move in (False, True):
        one = learner(move_embeddings=move)
        one.learn(tasks[0])
        before = one.hnet.embedding(0).detach().clone()
        one.learn(tasks[1])
        assert torch.equal(one.hnet.embedding(0), before) is not move


def test_a_step_is_two_gradients_and_one_adam_step(tasks: list[Task]) -> None:
    """One iteration of `learn`, written out again from Eq. 2 with the direct regularizer."""
    one = learner(training=Training(1, 32, 0.01), beta=0.3)
    one.learn(tasks[0])
    hnet = HyperNetwork(one.hnet.num_weights, 8, (16,), 1500, 8)
    hnet.add_task()
    hnet.load_state_dict(one.hnet.state_dict())
    targets = hnet(hnet.embedding(0)).detach()
    torch.manual_seed(7)
    one.learn(tasks[1])
    torch.manual_seed(7)
    hnet.add_task()

    x, y = next(minibatches(tasks[1], one.training))
    optimizer = optim.Adam([*hnet.theta().values(), hnet.embedding(1)], lr=0.01)
    nn.functional.cross_entropy(one.target(hnet(hnet.embedding(1)), x, tasks[1].head), y).backward()
    start = [p.detach().clone() for p in hnet.theta().values()]
    theta = hnet.theta()
    ahead = Lookahead(theta | {"embedding": hnet.embedding(1)}, optimizer)()
    with torch.no_grad():
        [p.copy_(ahead[name]) for name, p in theta.items()]
    (0.3 * (hnet(hnet.embedding(0)) - targets).square().sum()).backward()
    with torch.no_grad():
        [p.copy_(s) for p, s in zip(hnet.theta().values(), start, strict=True)]
    hnet.embedding(0).grad = None
    optimizer.step()
    for p, q in zip(one.hnet.parameters(), hnet.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_result(tasks: list[Task]) -> None:
    short = Training(30, 32, 0.003)
    runs = [metrics.learn_all(learner(training=short), tasks[:2]) for _ in range(2)]
    assert torch.equal(runs[0].nan_to_num(-1), runs[1].nan_to_num(-1))


def test_the_toy_regression_of_fig_2_in_short() -> None:
    torch.manual_seed(1)
    target = TargetNetwork(MLP([1, 10, 10, 1], nn.Sigmoid))
    errors = {}
    for beta in (0.005, 0.0):
        hnet = HyperNetwork(target.num_weights, 2, (10, 10), activation=nn.Sigmoid)
        one = HyperNetLearner(target, hnet, Training(1500, 32, 0.01), beta)
        errors[beta] = metrics.learn_all(one, polynomials()[:2], metrics.mean_squared_error)
    assert errors[0.005][-1, 0] < 0.05
    assert errors[0.0][-1, 0] > 10 * errors[0.005][-1, 0]


def test_one_head_serves_all_tasks_in_cl2() -> None:
    digits = load_images("digits")
    torch.manual_seed(0)
    target = TargetNetwork(MLP([64, 20, Scenario.CL2.num_outputs(5, 2)]))
    one = HyperNetLearner(target, HyperNetwork(target.num_weights, 8, (16,)), QUICK, beta=0.05)
    matrix = metrics.learn_all(one, split(digits, scenario=Scenario.CL2)[:2])
    assert one.predict(torch.rand(3, 64), task=1).shape == (3, 2)
    assert metrics.final(matrix) > 90


def test_batch_norm_statistics_are_kept_for_each_task() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    target = TargetNetwork(module)
    one = HyperNetLearner(target, HyperNetwork(target.num_weights, 2), Training(20, 32, 0.01))
    first, second, _ = polynomials()
    one.learn(first)
    before = one.predict(first.test.x, 0)
    kept = {name: b.clone() for name, b in one.buffers[0].items()}
    one.learn(second)
    assert all(torch.equal(one.buffers[0][name], b) for name, b in kept.items())
    assert not torch.equal(one.buffers[0]["1.running_mean"], one.buffers[1]["1.running_mean"])
    assert one.predict(first.test.x, 0).shape == before.shape


def test_a_state_does_not_change_with_what_is_learned_later(tasks: list[Task]) -> None:
    one = learner(training=Training(5, 32))
    one.learn(tasks[0])
    state = one.state_dict()
    one.learn(tasks[1])
    assert len(state["buffers"]) == len(state["heads"]) == 1
    one.load_state_dict(state)
    one.learn(tasks[2])
    assert len(state["buffers"]) == 1 and len(one.buffers) == 2


def test_minibatches_pass_over_everything_once_before_repeating() -> None:
    y = torch.arange(10)
    task = Task("count", Split(y[:, None], y), Split(y[:, None], y))
    batches = minibatches(task, Training(batch_size=5, seed=1))
    passes = [torch.cat([next(batches)[1], next(batches)[1]]) for _ in range(2)]
    assert passes[0].sort().values.tolist() == passes[1].sort().values.tolist() == list(range(10))
    assert passes[0].tolist() != passes[1].tolist()
    _, y = next(minibatches(task, Training(batch_size=99)))
    assert len(y) == 10, "a task smaller than a batch is one batch"


def test_sizes_that_do_not_fit_are_refused_with_both_numbers() -> None:
    target = TargetNetwork(MLP([4, 5, 2]))
    with pytest.raises(SizeError, match="generates 36 weights, but the target network needs 37"):
        HyperNetLearner(target, HyperNetwork(36, 2))


@pytest.mark.parametrize("task", [None, 1, -1])
def test_predicting_an_unknown_task_is_refused(tasks: list[Task], task: int | None) -> None:
    short = Training(1, 32)
    for one in (learner(training=short), FineTuning(MLP([64, 30]), short)):
        for other in (tasks[0], tasks[1]) if task is None else (tasks[0],):
            one.learn(other)
        with pytest.raises(UnknownTaskError, match=r"Give `task`|never learned"):
            one.predict(torch.rand(2, 64), task)


def broken(task: Task) -> Task:
    return Task("broken", Split(task.train.x.float() * torch.nan, task.train.y), task.test, task.head)


def test_nan_in_the_loss_is_named_and_what_was_learned_is_kept(tasks: list[Task]) -> None:
    one = learner()
    one.learn(tasks[0])
    before = [p.detach().clone() for p in one.hnet.parameters()]
    accuracy = metrics.accuracy(one, tasks[0], 0)
    with pytest.raises(DivergedError, match=r"loss on 'broken' was nan after 100 steps.*learning rate"):
        one.learn(broken(tasks[1]))
    assert one.hnet.num_tasks == 1
    for p, q in zip(one.hnet.parameters(), before, strict=True):
        assert torch.equal(p, q)
    assert metrics.accuracy(one, tasks[0], 0) == accuracy
    one.learn(tasks[1])
    assert metrics.accuracy(one, tasks[1], 1) > 80


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_task_leaves_nothing_behind(error: type[BaseException]) -> None:
    """Neither half-learned weights and embeddings, nor batch-norm statistics of the task that was cut short."""
    module = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    target = TargetNetwork(module)
    short = Training(20, 32, 0.01)
    hyper = HyperNetLearner(target, HyperNetwork(target.num_weights, 2), short)
    first, second, _ = polynomials()
    calls = []

    def failing(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) % 10 == 0:
            raise error
        return nn.functional.mse_loss(outputs, y)

    for one, state in ((hyper, hyper.hnet), (FineTuning(module, short), module)):
        one.learn(first)
        before = copy.deepcopy({**state.state_dict(), **target.copy_buffers()})
        with pytest.raises(error):
            one.learn(replace(second, loss=failing))
        after = {**state.state_dict(), **target.copy_buffers()}
        assert list(before) == list(after)
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_fine_tuning_learns_and_forgets(tasks: list[Task]) -> None:
    torch.manual_seed(0)
    one = FineTuning(MLP([64, 40, 10]), QUICK)
    shared = [Task(t.name, t.train, t.test, slice(0, 10), t.transform) for t in tasks]
    matrix = metrics.learn_all(one, shared)
    assert metrics.during(matrix) > 85 and metrics.forgetting(matrix) > 20
    with pytest.raises(DivergedError):
        one.learn(broken(shared[1]))


@pytest.mark.parametrize("form", [OutputRegularizer, FactoredRegularizer])
def test_where_nothing_moved_the_penalty_is_zero_at_any_precision_of_the_task(
    form: type[OutputRegularizer], tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Targets and what is compared with them are multiplied alike; otherwise rounding would look like forgetting."""
    penalties, plain = [], form.__call__

    def watched(penalty: OutputRegularizer, theta: dict) -> torch.Tensor:
        penalties.append(plain(penalty, theta))
        return penalties[-1]

    monkeypatch.setattr(form, "__call__", watched)
    protected = learner(training=Training(1, 64), lookahead=False, regularizer=form)
    protected.learn(tasks[0])
    with products("bfloat16"):
        protected.learn(tasks[1])
    assert penalties[0].item() == pytest.approx(0, abs=1e-12)


@pytest.mark.skipif(not torch.cpu._is_avx512_bf16_supported(), reason="this processor has no units for bfloat16")
def test_where_products_may_be_rounded_a_step_is_of_bfloat16_numbers_and_leads_the_same_way(tasks: list[Task]) -> None:
    """The weights themselves stay float32, and in full precision nothing is rounded."""
    seen, moved = [], []
    for precision in ("float32", "bfloat16"):
        one = learner(training=Training(1, 64))
        before = one.hnet.last.weight.detach().clone()
        one.target.module.register_forward_hook(lambda module, x, outputs: seen.append(outputs.dtype))
        with products(precision):
            one.learn(tasks[0])
        assert one.hnet.last.weight.dtype == torch.float32
        assert one.hnet.last.weight.grad is not None
        moved.append(one.hnet.last.weight.grad.flatten())
        assert not torch.equal(before, one.hnet.last.weight)
    assert seen == [torch.float32, torch.bfloat16]
    exact, rounded = moved
    assert torch.cosine_similarity(exact, rounded, dim=0) > 0.999
    assert not torch.equal(exact, rounded)


def test_a_network_with_batch_norm_learns_where_products_may_be_rounded() -> None:
    (task,) = split_colours([load_images("shapes")], 1, 4)
    for module in (ResNet(4, blocks=1, width=2), Mixed(ResNet(4, blocks=1, width=2))):
        target = TargetNetwork(module)
        method = HyperNetLearner(target, HyperNetwork(target.num_weights, 4, (), 200, 4), Training(2, 32))
        with products("bfloat16"):
            method.learn(task)
        assert method.predict(task.transform(task.test.x[:20]), 0).isfinite().all()


def test_full_precision_is_full() -> None:
    a, b = torch.randn(300, 500), torch.randn(500, 200)
    exact = a.double() @ b.double()
    with products("float32"):
        error = (a @ b - exact).abs().max() / exact.abs().mean()
    assert error < 1e-5
    assert torch.get_float32_matmul_precision() == "highest"
