"""The output regularizer (Eq. 2) and the lookahead: hold the generated weights of earlier tasks in place."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, optim
from torch.func import functional_call

from hnetlib.hypernet import HyperNetwork

Theta = Mapping[str, Tensor]


class OutputRegularizer:
    """β/(T-1) Σ_t ‖ f_h(e*_t, Θ*_h) - f_h(e_t, Θ_h + ΔΘ_h) ‖², the second term of Eq. 2.

    Make one just *before* a task is added: it takes its snapshot Θ*_h, e*_t then. Calling it gives the penalty.
    This plain form computes the targets f_h(e*_t, Θ*_h) once and stores them, T-1 vectors of the target's size.

    Whether earlier embeddings e_t stay fixed or may move (Appendix C) is not decided here: the penalty always
    compares live embeddings with the snapshot, so it is enough to train them or not to.

    Args:
        hnet: the hypernetwork, with the embeddings of the tasks to protect.
        beta: the strength β_output.
    """

    def __init__(self, hnet: HyperNetwork, beta: float):
        self.hnet, self.beta, self.num_tasks = hnet, beta, hnet.num_tasks
        self.embeddings = torch.stack(list(hnet.task_embeddings)).detach()
        self.snapshot: Theta = {name: p.detach().clone() for name, p in hnet.theta().items()}
        self.prepare()

    def __call__(self, theta: Theta | None = None) -> Float[Tensor, ""]:
        """The penalty at Θ_h = theta (named as in `HyperNetwork.theta`; None: where the hypernetwork is now)."""
        live = torch.stack(list(self.hnet.task_embeddings)[: self.num_tasks])
        return self.beta / self.num_tasks * self.distance(self.hnet.theta() if theta is None else theta, live)

    @torch.no_grad()
    def prepare(self) -> None:
        """Compute what stays constant while one task is learned."""
        self.targets = self.hnet(self.embeddings)

    def distance(self, theta: Theta, live: Float[Tensor, "tasks task_dim"]) -> Float[Tensor, ""]:
        """Σ_t ‖ f_h(e*_t, Θ*_h) - f_h(e_t, theta) ‖²."""
        return (functional_call(self.hnet, dict(theta), (live,)) - self.targets).square().sum()


class SampledRegularizer(OutputRegularizer):
    """Appendix D: the mean over a random subset of earlier tasks, drawn anew at every call; unbiased.

    Targets are computed from the snapshot when needed, so memory does not grow with the tasks.
    """

    def __init__(self, hnet: HyperNetwork, beta: float, num_samples: int = 32):
        self.num_samples = num_samples
        super().__init__(hnet, beta)

    def prepare(self) -> None:
        """Nothing is stored but the snapshot."""

    def distance(self, theta: Theta, live: Float[Tensor, "tasks task_dim"]) -> Float[Tensor, ""]:
        """The subset's sum, scaled up to all tasks."""
        chosen = torch.randperm(self.num_tasks, device=live.device)[: self.num_samples]
        with torch.no_grad():
            targets = functional_call(self.hnet, dict(self.snapshot), (self.embeddings[chosen],))
        squares = (functional_call(self.hnet, dict(theta), (live[chosen],)) - targets).square().sum()
        return squares * (self.num_tasks / len(chosen))


class FactoredRegularizer(OutputRegularizer):
    """The same number without generating a single weight: the last layer is linear, so Gram matrices suffice.

    With features H (a row per task and chunk, a constant 1 appended), last layer W (its bias appended), stars for
    the snapshot, D = H - H* and A = W - W*:

        ‖ H Wᵀ - H* W*ᵀ ‖² = ‖ [D H*] [W A]ᵀ ‖² = ⟨ [D H*]ᵀ[D H*], [W A]ᵀ[W A] ⟩ .

    Exact, without cancellation, and only small matrices depend on the number of tasks.
    """

    @torch.no_grad()
    def prepare(self) -> None:
        """Store H* and W*."""
        self.old_features = self._features(self.snapshot, self.embeddings)
        self.old_last = self._last(self.snapshot)

    def distance(self, theta: Theta, live: Float[Tensor, "tasks task_dim"]) -> Float[Tensor, ""]:
        """Σ_t ‖ f_h(e*_t, Θ*_h) - f_h(e_t, theta) ‖², from two Gram matrices for each part of the last layer."""
        new, last = self._features(theta, live), self._last(theta)
        left = torch.cat([new - self.old_features, self.old_features], dim=-1)
        right = torch.cat([last, last - self.old_last], dim=-1)
        # The last chunk is cut to fit: its features meet only the first `cut` rows of the last layer.
        cut = self.hnet.num_weights - (self.hnet.num_chunks - 1) * self.hnet.chunk_size
        whole, short = _gram(left[:, :-1].flatten(0, 1)), _gram(left[:, -1])
        return ((whole + short) * _gram(right[:cut])).sum() + (whole * _gram(right[cut:])).sum()

    def _features(self, theta: Theta, embeddings: Tensor) -> Float[Tensor, "tasks chunks features_1"]:
        body = {name.removeprefix("body."): p for name, p in theta.items() if name.startswith("body.")}
        features = functional_call(self.hnet.body, body, (embeddings,))
        return torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)

    @staticmethod
    def _last(theta: Theta) -> Float[Tensor, "chunk_size features_1"]:
        return torch.cat([theta["last.weight"], theta["last.bias"][:, None]], dim=-1)


def _gram(rows: Float[Tensor, "rows columns"]) -> Float[Tensor, "columns columns"]:
    return rows.T @ rows


@torch.no_grad()
def adam_candidate(optimizer: optim.Adam) -> list[Tensor]:
    """ΔΘ_h: the step that Adam would take on the gradients that are there now, without taking it (Eq. 2).

    The optimizer's state is left as it is. Plain Adam [kingma2015] only: no weight decay, no AMSGrad.
    """
    steps = []
    for group in optimizer.param_groups:
        beta1, beta2 = group["betas"]
        # All of a group's parameters have taken the same number of steps. It is a tensor: never read on the host.
        t = optimizer.state.get(group["params"][0], {}).get("step", 0) + 1
        scale1, scale2 = -group["lr"] / (1 - beta1**t), 1 / (1 - beta2**t)
        for p in group["params"]:
            state = optimizer.state.get(p, {})
            grad = torch.zeros_like(p) if p.grad is None else p.grad
            m = grad * (1 - beta1) + beta1 * state.get("exp_avg", 0)
            v = grad.square() * (1 - beta2) + beta2 * state.get("exp_avg_sq", 0)
            steps.append(m.mul_(scale1).div_(v.mul_(scale2).sqrt_().add_(group["eps"])))
    return steps
