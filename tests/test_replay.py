"""Replay: losses against references, what is protected stays, and every method goes on with the same bits."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_checkpoint import same_bits_after
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from hnetlib import metrics
from hnetlib.baselines import Autoencoder, FineTuning, OldData, Rehearsal, ReplayedVAE
from hnetlib.baselines.rehearsal import CLOSED, closed, opened
from hnetlib.checkpoint import CURRENT
from hnetlib.data import load_images
from hnetlib.errors import SizeError, UnknownTaskError
from hnetlib.experiments import build as building
from hnetlib.experiments import config, record, registry, run
from hnetlib.hypernet import HyperNetwork
from hnetlib.initialization import hyperfan_
from hnetlib.learner import HyperNetLearner, Training
from hnetlib.networks import MLP, autoencoder, discriminator
from hnetlib.replay import Gallery, ProtectedGAN, ProtectedVAE, TaskClassifier, TaskInference, accuracy_by_classifier
from hnetlib.replay.gallery import recognized
from hnetlib.replay.inference import which_task
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Scenario, Split, Task, merged, one_softmax, split
from hnetlib.vae import Latent, join, vae_loss

TINY = Training(12, 32, 0.003)
QUICK = Training(200, 64, 0.003)
LATENT = Latent(8, 8)


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return split(load_images("digits"), 2, Scenario.CL3)[:3]


def generated(target: TargetNetwork) -> HyperNetwork:
    return HyperNetwork(target.num_weights, 8, (12,), 800, 6)


def vae(training: Training = TINY, beta: float = 0.1) -> ProtectedVAE:
    encoder, decoder = autoencoder(64, (40,), (40,), LATENT.size)
    target = TargetNetwork(decoder)
    return ProtectedVAE(target, generated(target), training, beta, partner=encoder, inputs=LATENT)


def gan(training: Training = TINY, beta: float = 0.1) -> ProtectedGAN:
    target = TargetNetwork(MLP([16, 40, 64]))
    hnet, partner = generated(target), discriminator(64, (40,), 0.4)
    return ProtectedGAN(target, hyperfan_(hnet, target), training, beta, partner=partner, inputs=LATENT)


def plain_vae(training: Training = TINY, replay: bool = True) -> ReplayedVAE:
    return ReplayedVAE(Autoencoder(*autoencoder(64, (40,), (40,), 8)), training, inputs=LATENT, replay=replay)


def rehearsal(memory: Any, scenario: Scenario = Scenario.CL3, training: Training = TINY) -> Rehearsal:
    return Rehearsal(MLP([64, 40, 6]), training, memory=memory, scenario=scenario, num_tasks=3)


def inference(training: Training = TINY) -> TaskInference:
    target = TargetNetwork(MLP([64, 20, 6]))
    learner = HyperNetLearner(target, generated(target), training, beta=0.1)
    return TaskInference(learner, TaskClassifier(MLP([64, 40, 3]), training, memory=vae(training), num_tasks=3))


# -- the VAE


def test_the_vae_loss_is_that_of_equations_3_to_5_per_pixel() -> None:
    torch.manual_seed(0)
    x, encoder, decoder = torch.rand(7, 5, 5), MLP([25, 8]), MLP([4, 25])
    state = torch.get_rng_state()
    found = vae_loss(x, encoder, decoder)
    torch.set_rng_state(state)
    mean, log_variance = encoder(x).chunk(2, dim=1)
    posterior = Normal(mean, (log_variance / 2).exp())
    y = decoder(mean + posterior.scale * torch.randn(7, 4)).sigmoid()
    t = x.flatten(1)
    cross_entropy = -(t * y.log() + (1 - t) * (1 - y).log()).sum(1)
    prior = kl_divergence(posterior, Normal(torch.zeros(7, 4), torch.ones(7, 4))).sum(1)
    torch.testing.assert_close(found, (cross_entropy + prior).mean() / 25)


def test_the_constant_input_belongs_to_task_and_seed_and_takes_no_random_numbers() -> None:
    state = torch.get_rng_state()
    vectors = [Latent(8, 100, seed).of_task(task) for seed in (0, 1) for task in (0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(vectors[1], Latent(8, 100, 0).of_task(1))
    assert len({tuple(vector.tolist()) for vector in vectors}) == 4
    assert join(torch.zeros(3, 5, 8), torch.ones(3, 1, 2)).shape == (3, 5, 10)


def test_many_decoders_at_once_do_what_each_does_alone(tasks: list[Task]) -> None:
    torch.manual_seed(0)
    model = vae()
    for task in tasks:
        model.learn(task)
    z = torch.randn(2, 5, 8)
    together = model.generate([2, 0], z)
    for row, index in enumerate((2, 0)):
        weights = model.hnet(model.hnet.embedding(index))
        alone = model.target(weights, join(z[row], LATENT.of_task(index))).sigmoid()
        torch.testing.assert_close(together[row], alone)
    with pytest.raises(UnknownTaskError):
        model.generate([3], z[:1])


@pytest.mark.parametrize("make", [vae, plain_vae])
def test_what_is_recalled_does_not_change_with_later_learning(make: Callable[[], Any], tasks: list[Task]) -> None:
    torch.manual_seed(0)
    model = make()
    model.learn(tasks[0])
    draw, state = model.recall(), torch.get_rng_state()
    before = draw(4)
    model.learn(tasks[1])
    torch.set_rng_state(state)
    assert torch.equal(draw(4), before) and before.shape == (1, 4, 64)
    torch.set_rng_state(state)
    assert not torch.equal(model.recall()(4)[:1], before)


def first_layer(learner: FineTuning) -> Tensor:
    """A copy of its weights."""
    return next(learner.module.parameters()).detach().clone()


def drift(model: Any, tasks: list[Task]) -> float:
    """How far the mean picture of the first task goes while the others are learned."""
    z = torch.randn(1, 200, 8, generator=torch.Generator().manual_seed(0))
    model.learn(tasks[0])
    first = model.generate([0], z).mean(1)
    for task in tasks[1:]:
        model.learn(task)
    return (model.generate([0], z).mean(1) - first).square().mean().sqrt().item()


def test_protection_keeps_the_pictures_and_its_absence_does_not(tasks: list[Task]) -> None:
    torch.manual_seed(0)
    protected, free = drift(vae(QUICK, beta=0.1), tasks), drift(vae(QUICK, beta=0.0), tasks)
    replayed, forgetful = drift(plain_vae(QUICK), tasks), drift(plain_vae(QUICK, replay=False), tasks)
    assert protected < 0.5 * free, (protected, free)
    assert replayed < 0.5 * forgetful, (replayed, forgetful)


# -- the GAN


def test_each_half_of_a_gan_sees_its_own_part_of_the_loss_only(tasks: list[Task]) -> None:
    torch.manual_seed(0)
    model = gan()
    model.hnet.add_task()
    model.partner.eval()  # no dropout, so that the parts can be computed again
    x, state = torch.rand(9, 64), torch.get_rng_state()
    weights = model.hnet(model.hnet.embedding(0))
    model.loss(tasks[0], weights, x, torch.zeros(9)).backward()
    found = [p.grad.clone() for p in (*model.partner.parameters(), model.hnet.last.weight) if p.grad is not None]
    torch.set_rng_state(state)
    weights = model.hnet(model.hnet.embedding(0))
    made = model.target(weights, join(torch.randn(9, 8), LATENT.of_task(0))).sigmoid()
    said, of_made = model.partner(2 * x - 1), model.partner(2 * made - 1)
    critic = ((said - 1) ** 2 + (of_made + 1) ** 2).mean() / 2
    fooled = (of_made**2).mean() / 2
    wanted = torch.autograd.grad(critic, list(model.partner.parameters()), retain_graph=True)
    wanted += torch.autograd.grad(fooled, [model.hnet.last.weight])
    for mine, reference in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, reference)


def test_a_gan_keeps_what_it_learned_to_draw_only_where_it_is_protected() -> None:
    classes = split(load_images("digits"), 1, Scenario.CL3)[:3]
    torch.manual_seed(0)
    judge = MLP([64, 40, 3])
    FineTuning(judge, QUICK).learn(merged(classes))
    found = {}
    for beta in (1.0, 0.0):
        torch.manual_seed(0)
        gallery = Gallery(gan(Training(400, 64, 0.001, beta1=0.5), beta), judge)
        found[beta] = metrics.learn_all(gallery, classes, recognized)
    assert metrics.during(found[1.0]) > 80 and metrics.final(found[1.0]) > 80, found
    # Without protection the first digit, a 0, is learned and lost; whether the 1 is when the 2 is learned differs
    # from seed to seed, and from one processor to the other.
    assert found[0.0][0, 0] > 80 and found[0.0][-1, 0] < 20, found


# -- rehearsal


def reference(now: Tensor, then: Tensor, temperature: float) -> Tensor:
    """Distillation as a divergence plus the entropy of the targets; new classes had probability 0."""
    p = F.pad((then / temperature).softmax(-1), (0, now.shape[-1] - then.shape[-1]))
    log_q = (now / temperature).log_softmax(-1)
    return -(p * log_q).sum(-1).mean() * temperature**2


@pytest.mark.parametrize("scenario", Scenario)
def test_the_past_is_distilled_in_the_heads_of_the_scenario(scenario: Scenario) -> None:
    stream = split(load_images("digits"), 2, scenario)[:3]
    stream = one_softmax(stream) if scenario is Scenario.CL3 else stream
    torch.manual_seed(0)
    learner = rehearsal(OldData(stream), scenario)
    learner.learn(stream[0])
    learner.learn(stream[1])
    old = copy.deepcopy(learner.module)
    past = learner.replay(stream[2])
    nn.init.normal_(next(learner.module.parameters()))  # it has changed since
    state = torch.get_rng_state()
    found = past()
    torch.set_rng_state(state)
    x = learner.memory.recall()(16)
    now, then = learner.module(x.flatten(0, 1)).view(2, 16, -1), old(x.flatten(0, 1)).view(2, 16, -1)
    if scenario is Scenario.CL1:
        wanted = sum(reference(now[t][:, h], then[t][:, h], 2.0) for t, h in enumerate(learner.heads)) / 2
    elif scenario is Scenario.CL2:
        wanted = reference(now[..., :2], then[..., :2], 2.0)
    else:
        wanted = reference(now, then[..., :4], 2.0)
    torch.testing.assert_close(found, torch.as_tensor(wanted))


def test_soft_targets_may_leave_room_for_new_classes() -> None:
    learner, says, said = rehearsal(OldData([]), Scenario.CL3), torch.randn(1, 5, 4), torch.randn(1, 5, 2)
    torch.testing.assert_close(learner.compare(says, said), reference(says, said, 2.0))
    learner.leave_room = True
    torch.testing.assert_close(learner.compare(says, said), reference(says, F.pad(said, (0, 2)), 2.0))


@pytest.mark.parametrize("make", [lambda even: rehearsal(plain_vae()), lambda even: plain_vae()])
def test_the_new_task_weighs_one_half_or_as_much_as_any_other(make: Callable[[bool], Any], tasks: list[Task]) -> None:
    stream = one_softmax(tasks)
    torch.manual_seed(0)
    learner = make(True)
    learner.learn(stream[0])
    learner.learn(stream[1])
    x, y = stream[2].transform(stream[2].train.x[:20]), stream[2].train.y[:20]

    def loss(**changes: Any) -> Tensor:
        for name, value in changes.items():
            setattr(learner, name, value)
        torch.manual_seed(1)
        return learner.loss(stream[2], x, y)

    vae = isinstance(learner, ReplayedVAE)
    if vae:
        *learner.old, learner.constant = LATENT.of_tasks(range(3), x)
    alone = loss(past=None)
    half = loss(past=learner.recall() if vae else learner.replay(stream[2]), even=False)
    third = loss(even=True)
    past = 2 * half - alone
    torch.testing.assert_close(third, alone / 3 + past * 2 / 3)


def test_closed_outputs_have_no_probability_and_heads_are_asked_for() -> None:
    shut = closed(torch.zeros(2, 3, 6), opened([slice(0, 2), slice(2, 4)]))
    assert shut.shape == (2, 3, 4) and (shut[0, :, 2:] == CLOSED).all() and (shut[1, :, :2] == CLOSED).all()
    assert torch.equal(shut.softmax(-1)[1, 0], torch.tensor([0.0, 0.0, 0.5, 0.5]))
    with pytest.raises(SizeError, match="give each Task a head"):
        opened([None])


def test_classes_of_growing_tasks_are_counted_through(tasks: list[Task]) -> None:
    for t, (task, plain) in enumerate(zip(one_softmax(tasks), tasks, strict=True)):
        assert task.head == slice(0, 2 * t + 2)
        assert torch.equal(task.test.y, plain.test.y + 2 * t) and torch.equal(task.train.y, plain.train.y + 2 * t)


def test_merged_tasks_are_the_whole_data_set() -> None:
    images = load_images("digits")
    every = merged(split(images, 2, Scenario.CL3))
    assert every.head is None and len(every.train) == len(images.train_labels)
    assert torch.equal(every.test.y.bincount(), images.test_labels.bincount())
    assert torch.equal(every.test.x[every.test.y == 7], images.test_images[images.test_labels == 7])


class Watched(OldData):
    """Notes when it learns, and what the classifier was then."""

    def __init__(self, tasks: list[Task]):
        super().__init__(tasks)
        self.seen: list[Tensor] = []

    def learn(self, task: Task) -> None:
        super().learn(task)
        self.seen.append(first_layer(self.learner))

    learner: Rehearsal


def test_the_classifier_comes_first_and_the_last_task_trains_no_memory(tasks: list[Task]) -> None:
    stream = one_softmax(tasks)
    memory = Watched(stream)
    memory.learner = learner = rehearsal(memory)
    before = first_layer(learner)
    learner.learn(stream[0])
    after = first_layer(learner)
    assert not torch.equal(before, after) and torch.equal(memory.seen[0], after)
    learner.learn(stream[1])
    learner.learn(stream[2])
    assert len(memory.seen) == memory.known == 2


def test_in_cl3_all_classes_compete_and_in_cl1_the_task_must_be_given(tasks: list[Task]) -> None:
    stream = one_softmax(tasks)
    learner = rehearsal(OldData(stream))
    learner.learn(stream[0])
    learner.learn(stream[1])
    x = torch.rand(5, 64)
    assert learner.predict(x).shape == (5, 4) and learner.predict(x, 0).shape == (5, 2)
    with pytest.raises(UnknownTaskError, match="Which task"):
        rehearsal(OldData(tasks), Scenario.CL1).predict(x)


def test_replay_remembers_and_fine_tuning_does_not(tasks: list[Task]) -> None:
    stream = one_softmax(tasks)
    torch.manual_seed(0)
    found = {}
    for name, memory in {"hnet": vae(QUICK, 0.1), "dgr": plain_vae(QUICK), "bound": OldData(stream)}.items():
        learner = rehearsal(memory, training=QUICK)
        found[name] = metrics.final(metrics.learn_all(learner, stream, metrics.accuracy_among_all))
    tuned = FineTuning(MLP([64, 40, 6]), QUICK)
    for task in stream:
        tuned.learn(task)
    found["none"] = sum(metrics.accuracy(tuned, task, 2) for task in stream) / 3
    assert found["bound"] > 93 and found["hnet"] > 85 and found["dgr"] > 80, found
    assert found["none"] < 50, found


# -- task inference


def test_the_task_classifier_has_hard_targets_and_starts_with_the_second_task(tasks: list[Task]) -> None:
    torch.manual_seed(0)
    learner = TaskClassifier(MLP([64, 40, 3]), TINY, memory=vae(), num_tasks=3)
    before = copy.deepcopy(learner.module.state_dict())
    asked = [which_task(task, t) for t, task in enumerate(tasks)]
    learner.learn(asked[0])
    assert all(torch.equal(p, before[name]) for name, p in learner.module.state_dict().items())
    learner.learn(asked[1])
    assert not torch.equal(first_layer(learner), before["1.weight"])
    assert asked[1].train.y.unique().tolist() == [1] and asked[1].head == slice(0, 2)
    past = learner.replay(asked[2])
    torch.manual_seed(1)
    loss = past()
    torch.manual_seed(1)
    samples = learner.memory.recall()(TINY.batch_size // 2)
    said = [learner.module(x)[:, :3].log_softmax(dim=1) for x in samples]
    wanted = -sum(log_p[:, made_for].mean() for made_for, log_p in enumerate(said)) / 2
    torch.testing.assert_close(loss, wanted)


def test_the_task_classifier_may_be_taken_at_its_own_word(tasks: list[Task]) -> None:
    torch.manual_seed(0)
    learner = TaskClassifier(MLP([64, 40, 3]), TINY, memory=vae(), num_tasks=3, own_word=True)
    asked = [which_task(task, t) for t, task in enumerate(tasks)]
    learner.learn(asked[0])
    learner.learn(asked[1])
    past = learner.replay(asked[2])
    torch.manual_seed(1)
    loss = past()
    torch.manual_seed(1)
    samples = learner.memory.recall()(TINY.batch_size // 2).flatten(0, 1)
    said = learner.module(samples)
    torch.testing.assert_close(loss, F.cross_entropy(said, said[:, :2].argmax(dim=1)))


def test_an_answer_is_that_of_the_inferred_tasks_network(tasks: list[Task]) -> None:
    torch.manual_seed(0)
    learner = inference(QUICK)
    matrix = metrics.learn_all(learner, tasks)
    x = torch.cat([task.transform(task.test.x) for task in tasks])
    which, outputs = learner.infer(x), learner.predict(x)
    assert which.unique().tolist() == [0, 1, 2]
    for task in range(3):
        torch.testing.assert_close(outputs[which == task], learner.predict(x, task)[which == task])
    for scenario in (Scenario.CL2, Scenario.CL3):
        right, found = accuracy_by_classifier(learner, tasks, scenario)
        assert min(found) > 60 and metrics.final(matrix) > 95
        if scenario is Scenario.CL3:
            assert all(a <= f for a, f in zip(right, found, strict=True))


# -- all of them


MAKE: dict[str, Callable[[list[Task]], Any]] = {
    "HNET+R": lambda tasks: rehearsal(vae()),
    "DGR": lambda tasks: rehearsal(plain_vae()),
    "upper bound": lambda tasks: rehearsal(OldData(tasks)),
    "HNET+TIR": lambda tasks: inference(),
    "gallery": lambda tasks: Gallery(gan(), MLP([64, 3])),
}


def seeded(name: str, tasks: list[Task]) -> Any:
    torch.manual_seed(0)
    return MAKE[name](tasks)


@pytest.mark.parametrize("after", [5, 17, 29, 50])
@pytest.mark.parametrize("name", MAKE)
def test_an_interrupted_run_goes_on_with_the_same_bits(
    name: str, after: int, tmp_path: Path, tasks: list[Task]
) -> None:
    if after > 36 and name in ("upper bound", "gallery"):
        pytest.skip("it has fewer steps")
    stream = one_softmax(tasks) if name in ("HNET+R", "DGR", "upper bound") else tasks
    measure = recognized if name == "gallery" else metrics.accuracy
    same_bits_after(after, lambda: seeded(name, stream), tmp_path / "c", stream, measure)


def everything(state: Any) -> list[Tensor]:
    if isinstance(state, dict):
        return [tensor for value in state.values() for tensor in everything(value)]
    if isinstance(state, list):
        return [tensor for value in state for tensor in everything(value)]
    return [state] if isinstance(state, Tensor) else []


@pytest.mark.parametrize("name", ["HNET+R", "DGR", "HNET+TIR"])
def test_a_task_that_breaks_off_leaves_no_trace(name: str, tasks: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    learner = seeded(name, tasks)
    learner.learn(tasks[0])
    before = copy.deepcopy(learner.state_dict())

    class Stop:
        """In place of a checkpoint: breaks off in the last stage."""

        stage, last = 0, {"HNET+R": 2, "DGR": 2, "HNET+TIR": 3}[name]

        def enter(self, trained: object) -> int:
            self.stage += 1
            return 0

        def tick(self, iteration: int, *arguments: object) -> None:
            if self.stage == self.last and iteration == 3:
                raise KeyboardInterrupt

    token = CURRENT.set(Stop())  # type: ignore[arg-type]
    try:
        with pytest.raises(KeyboardInterrupt):
            learner.learn(tasks[1])
    finally:
        CURRENT.reset(token)
    after, wanted = everything(learner.state_dict()), everything(before)
    assert len(after) == len(wanted) and all(map(torch.equal, after, wanted))


def test_a_gallery_shows_the_same_latent_vectors_then_and_now(tasks: list[Task]) -> None:
    torch.manual_seed(0)
    gallery = Gallery(vae(), MLP([64, 3]))
    gallery.learn(tasks[0])
    assert torch.equal(gallery.first[0], gallery.look([0])[0])
    gallery.learn(tasks[1])
    assert not torch.equal(gallery.first[0], gallery.look([0])[0])
    assert 0 <= recognized(gallery, tasks[1], 1) <= 100


def test_a_sample_is_recognized_as_any_class_of_its_task() -> None:
    """A judge that always says 3: all of the second pair's samples are recognized, none of the others."""

    judge = nn.Linear(64, 6)
    nn.init.zeros_(judge.weight)
    judge.bias = nn.Parameter(torch.eye(6)[3])
    gallery = Gallery(vae(), judge)
    pairs = split(load_images("digits"), 2, Scenario.CL3)[:3]
    for task in pairs:
        gallery.learn(task)
    assert [recognized(gallery, task, t) for t, task in enumerate(pairs)] == [0, 100, 0]


@pytest.mark.parametrize(
    ("name", "decoder", "hypernetwork"),
    [  # the paper counts 12 chunks on split MNIST, for a decoder of 555,184 weights; these have 9 and 3
        ("p10-cl1-hnet-tir", 2_227_024, 2_211_691 + 9 * 24),
        ("s-cl3-hnet-r", 413_284, 552_040 + 9 * 96 + 4 * 96),
        ("s-cl1-hnet-tir", 223_834, 552_040 + 5 * 96 + 4 * 96),
        ("s-cl1-hnet-tir-50-150", 136_084, 552_040 + 3 * 96 + 4 * 96),
        ("figA8-vae", 413_284, 552_040 + 9 * 96 + 9 * 96),
        ("figA8-vae-pairs", 413_284, 552_040 + 9 * 96 + 4 * 96),
        ("figA8-gan", 413_284, 1_951_475 + 6 * 8 + 9 * 24),  # 25, 25, then 75,000 weights a chunk
    ],
)
def test_replay_networks_have_the_papers_sizes(name: str, decoder: int, hypernetwork: int) -> None:
    entry = registry.EXPERIMENTS[name].config
    inputs = 1024 if entry.tasks.kind == "permuted" else 784
    whole = Split(torch.zeros(1, inputs), torch.zeros(1))
    assert isinstance(entry.method, config.Replay | config.Pictures)
    method = building.pictures_of(entry.method) if isinstance(entry.method, config.Replay) else entry.method
    built = building.protected(method, Training(), whole.x.shape[1], "cpu")
    assert built.target.num_weights == decoder
    assert built.hnet.num_parameters(entry.tasks.num_tasks - 1) == hypernetwork


def test_the_hypernetwork_of_split_mnist_has_the_size_that_the_paper_gives_for_a_larger_decoder() -> None:
    _, decoder = autoencoder(784, (400, 400), (400, 400), 100)
    target = TargetNetwork(decoder)
    hnet = building.hypernetwork(registry.S_VAE, target)
    assert target.num_weights == 555_184 and hnet.num_parameters(4) == 553_192 + 4 * 96


@pytest.mark.parametrize("name", ["figA8-vae", "figA8-gan"])
def test_pictures_lie_beside_their_record(name: str, tmp_path: Path) -> None:
    job = run.Job(name, 0, "quick", {"optimization.iterations": 20}, folder=tmp_path)
    result = record.load(run.execute(job))
    pictures = record.arrays(result.model_dump(), tmp_path)
    assert pictures["first"].shape == pictures["final"].shape == (10, 8, 64)
    assert result.judge and 0 <= result.judge <= 100 and len(result.matrix) == 10
    job.path.with_suffix(".safetensors").write_bytes(b"other")
    with pytest.raises(record.RecordError, match="not the file that its record names"):
        record.arrays(result.model_dump(), tmp_path)
