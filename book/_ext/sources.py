"""Where every setting of every experiment comes from: the paper, released code, or our choice.

The values stand in the registry. Here stands who says so, as rules: of the rules that fit an experiment and a setting,
the last one holds. A test sees to it that every setting of every experiment has one.
"""

from collections.abc import Iterator
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from hnetlib.experiments.config import flatten
from hnetlib.experiments.registry import EXPERIMENTS, Experiment

# code: that which the authors released, or the authors of a baseline where the note says so
Source = Literal["paper", "code", "choice"]


class Rule(NamedTuple):
    """Who says what a setting is."""

    experiments: str  # names, as patterns, with | between them
    settings: str  # the same
    source: Source
    note: str = ""


# The first family that fits an experiment is its own.
FAMILIES = {
    "Polynomials": "fig2*",
    "Generated pictures": "figA8-*",
    "Hard attention (HAT)": "*-hat",
    "CIFAR, ResNet-32": "cifar-resnet32-*",
    "CIFAR, network of Zenke and others": "cifar-zenke-*",
    "Split MNIST, replay": "s-*-dgr*|s-*-hnet-r*|s-*-hnet-tir*|s-*-replay-upper-bound",
    "Split MNIST, EWC and SI": "s-*-ewc*|s-*-si*",
    "Split MNIST, hypernetworks": "s-*-hnet|s-*-hnet-ent|s-*-hnet-beta-*|fig4*|figA7-split*",
    "PermutedMNIST-10, replay": "p10-*-dgr|p10-*-hnet-r|p10-*-hnet-tir|p10-*-replay-upper-bound",
    "PermutedMNIST-10, other methods": "p10-*-ewc*|p10-*-si*|p10-*-fine-tuning|p10-*-from-scratch|p10-*-joint",
    "Small target networks, other sizes": "*-small-target*|p10-*x*-hnet",
    "PermutedMNIST-10, hypernetworks": "p10-cl?-hnet|p10-cl?-hnet-ent|fig3b-*|figA7-permuted",
    "PermutedMNIST-100, replay": "p100-*-hnet-tir|p100-*-dgr",
    "PermutedMNIST-100, other methods": "p100-*-ewc|p100-*-si|p100-*-fine-tuning|figA5a-*|figA6*",
    "PermutedMNIST-100, hypernetworks": "p100-*-hnet*|figA2a-*",
    "PermutedMNIST-250": "p250-*",
}

# Settings that a kind of target network does not have.
NOT_OF = {
    "mlp": ("target.blocks", "target.width", "target.statistics", "target.dropped"),
    "resnet": ("target.dropped",),
    "zenkenet": ("target.blocks",),
}

DEFAULTS = "default of van de Ven and Tolias's code today; the paper gives none"
DEFAULTS_2019 = "default of van de Ven and Tolias's code when the paper was written; the paper gives none"
RULES = (
    Rule("*", "tasks.*|target.*|method.*|optimization.*", "paper"),
    Rule("*", "*.activation", "code"),
    Rule("*", "target.activation", "code", "ReLU in every classifier"),
    Rule("*", "initialization", "code", "Xavier for matrices, 0 for biases, N(0, 1) for embeddings"),
    Rule("*", "optimization.beta1", "code", "PyTorch's default"),
    Rule("*", "products", "choice", "the reduced tier allows bfloat16"),
    Rule("*", "evaluate_every", "choice", "which tasks are tested when; changes no training"),
    Rule("*", "landscape", "choice", "points a side of the map of Fig. 4"),
    Rule("*", "*.sampled_chunks", "choice", "not used at the paper tier"),
    Rule("*", "*.even|*.leave_room", "code", "the authors' for HNET+R, that of van de Ven and Tolias for DGR"),
    Rule("*-even|*-room|*-strict", "*.even|*.leave_room", "choice", "to tell one from the other"),
    Rule("fig2*", "target.activation|*.activation", "paper"),
    Rule("fig2-beta*", "method.beta", "choice", "a sweep"),
    Rule("s-*|fig4*|figA7-split*|figA8-vae*", "method.generator.activation", "paper"),
    Rule("s-*|fig4*|figA7-split*", "method.*hypernet.activation", "paper", "“the same as the VAE”; the code has ReLU"),
    Rule("p10-*", "method.beta|method.generator_beta", "paper", "the released command line has 0.1"),
    Rule("p10-*", "method.generator.activation", "paper"),
    Rule("*", "method.own_word", "code", "a sentence in Appendix C has it the other way"),
    Rule("*-own-word", "method.own_word", "paper", "Appendix C; the released code has it the other way"),
    Rule("s-*-hnet-tir|s-*-own-word", "method.decoder", "code", "the paper has 50-150"),
    Rule("s-*-ewc|p10-*-ewc|s-*-si|p10-*-si", "method.strength", "choice", DEFAULTS),
    Rule("s-cl1-ewc|s-cl3-si|*-ewc-*|*-si-*", "method.strength", "choice", "a search"),
    Rule("p10-cl[23]-ewc|p10-cl[23]-si|s-cl2-si", "method.strength", "code", DEFAULTS_2019),
    Rule("*", "method.one_adam", "choice", "a fresh one for each task"),
    Rule("p10-cl2-ewc|p10-cl2-si", "method.one_adam", "code", "van de Ven and Tolias's"),
    Rule("*-si-together|*-fresh-adam", "method.*", "code", "van de Ven and Tolias's"),
    Rule("*-fresh-adam", "method.one_adam", "choice", "for comparison"),
    Rule("s-*-hnet-beta-*", "method.beta", "choice", "a sweep"),
    Rule("*", "method.gamma", "paper", "given for PermutedMNIST-100"),
    Rule("s-*|p10-*", "method.gamma", "choice", "as for PermutedMNIST-100"),
    Rule("p10-cl[23]-ewc", "method.gamma", "code", DEFAULTS_2019),
    Rule("*", "method.examples", "choice", "all; 6,000 at the reduced tier"),
    Rule("figA6b*", "method.strength", "choice", "as in Fig. A5"),
    Rule("fig4*", "method.hypernet.task_dim", "paper"),
    Rule("fig4*", "tasks.scenario", "choice", "not given; both tried"),
    Rule("fig3b-*", "method.hypernet.chunk_size", "choice", "the paper gives no architectures"),
    Rule("figA7-*", "method.hypernet.*", "paper", "its grid; every seed draws its own"),
    Rule("figA7-split-slow", "optimization.learning_rate", "choice", "a tenth of the paper's"),
    Rule("p100-*|p250-*|figA2a-*", "*hypernet.task_dim|*hypernet.chunk_dim|*hypernet.activation", "code"),
    Rule("p100-*", "method.generator.task_dim|method.generator.chunk_*", "code"),
    Rule("p10-*x*-hnet", "method.hypernet.*", "choice", "about as many weights as the target"),
    Rule("p10-*x*-hnet", "method.beta", "choice", "as for the classifier of Table 1"),
    Rule("*-small-target*|p10-100x100-hnet", "method.beta", "paper"),
    Rule("p10-100x100-hnet", "method.hypernet.*", "paper", "the small target of Appendix D"),
    Rule("p10-100x100-hnet", "method.hypernet.activation", "code"),
    Rule("*-hat", "method.*", "code", "the authors' of HAT"),
    Rule("p10-100x100-hat", "method.dropout", "choice", "none: the authors' leaves too little of so small a network"),
    Rule("*-hat", "optimization.iterations", "paper", "at most 200 epochs, the number from HAT's code"),
    Rule("cifar-*", "tasks.augment|tasks.normalize", "code"),
    Rule("cifar-*", "optimization.plateau", "code", "named in the paper, but without effect in the code"),
    Rule("cifar-resnet32-plateau", "optimization.plateau", "choice", "with effect, for comparison"),
    Rule("cifar-resnet32-*", "method.beta", "code"),
    Rule("cifar-*-from-scratch|cifar-*-fine-tuning", "method.*", "code"),
    Rule("cifar-*-generated", "method.hypernet.hidden", "choice", "a linear one changes all chunks alike"),
    Rule("cifar-zenke-*", "method.hypernet.activation", "code"),
    Rule("cifar-zenke-*-elu", "method.hypernet.activation", "choice", "the paper is silent; the code has ReLU"),
    Rule("cifar-zenke-*", "optimization.beta1", "code"),
    Rule("cifar-zenke-*", "target.dropped", "code"),
    Rule("cifar-zenke-si", "method.*|optimization.*|target.dropped", "code", "SI's authors': the number is theirs"),
    Rule("cifar-zenke-si-channels", "method.*|optimization.*", "code", "SI's authors'; the dropout is not theirs"),
    Rule("cifar-zenke-si-trained-as-hnet", "method.*", "choice"),
    Rule("figA8-*", "target.*", "choice", "the classifier that judges the pictures"),
    Rule("figA8-gan*", "method.generator.*_dim|method.partner|method.decoder|method.beta", "choice"),
    Rule("figA8-gan*", "optimization.batch_size", "choice"),
    Rule("figA8-*-unprotected", "method.beta", "choice", "no protection, for comparison"),
    Rule("figA8-vae|figA8-vae-unprotected|figA8-vae-25-25", "tasks.num_tasks", "choice", "digit by digit, as the GAN"),
    Rule("figA8-vae-25-25", "method.generator.hidden", "choice", "as many as the GAN's, for comparison"),
)


def fits(name: str, patterns: str) -> bool:
    """Whether a name is like one of several patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns.split("|"))


def family(experiment: str) -> str:
    """The family of an experiment."""
    return next(title for title, patterns in FAMILIES.items() if fits(experiment, patterns))


def rule(experiment: str, setting: str) -> Rule:
    """The last rule that fits."""
    fitting = [rule for rule in RULES if fits(experiment, rule.experiments) and fits(setting, rule.settings)]
    if not fitting:
        raise LookupError(f"Nothing says where {setting!r} of {experiment!r} comes from: add a rule.")
    return fitting[-1]


def settings(experiment: Experiment) -> Iterator[tuple[str, Any]]:
    """What is set in an experiment: not what is left out, nor what only other networks have."""
    config = asdict(experiment.config)
    kind = config["target"]["kind"]
    others = NOT_OF.get(kind, ())
    for setting, value in flatten(config).items():
        named = setting.rpartition(".")[2] in ("name", "kind")
        unused = value is None or value is False or value in ((), "none")
        if not named and setting not in others and not unused:
            yield setting, value


def table(title: str) -> dict[tuple[str, Rule], list[Any]]:
    """All settings of a family: by name and origin, the values in use."""
    found: dict[tuple[str, Rule], list[Any]] = {}
    for name, experiment in EXPERIMENTS.items():
        if family(name) != title:
            continue
        for setting, value in settings(experiment):
            origin = rule(name, setting)
            values = found.setdefault((setting, origin), [])
            if value not in values:
                values.append(value)
    return found
