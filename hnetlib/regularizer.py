"""The output regularizer (Eq. 2) and the lookahead: hold the generated weights of earlier tasks in place."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn, optim
from torch.func import functional_call
from torch.nn import functional as F

from hnetlib.errors import SizeError
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

    Raises:
        SizeError: the hypernetwork has no task yet, so that there is nothing to protect.
    """

    def __init__(self, hnet: HyperNetwork, beta: float):
        if not hnet.num_tasks:
            raise SizeError("There is no task to protect yet. Make a regularizer after the first task, not before it.")
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
        """Σ_t ‖ f_h(e*_t, Θ*_h) - f_h(e_t, theta) ‖²: Eq. 1, with embeddings as the old inputs."""
        return F.mse_loss(functional_call(self.hnet, dict(theta), (live,)), self.targets, reduction="sum")


class SampledRegularizer(OutputRegularizer):
    """Appendix D: the mean over a random subset of earlier tasks, drawn anew at every call; unbiased.

    Targets are computed from the snapshot when needed, so memory does not grow with the tasks.

    Raises:
        SizeError: `num_samples` is not positive.
    """

    def __init__(self, hnet: HyperNetwork, beta: float, num_samples: int = 32):
        self.num_samples = positive(num_samples, "num_samples")
        super().__init__(hnet, beta)

    def prepare(self) -> None:
        """Nothing is stored but the snapshot."""

    def distance(self, theta: Theta, live: Float[Tensor, "tasks task_dim"]) -> Float[Tensor, ""]:
        """The subset's sum, scaled up to all tasks."""
        chosen = torch.randperm(self.num_tasks, device=live.device)[: self.num_samples]
        return self.of(chosen, theta, live[chosen]) * (self.num_tasks / len(chosen))

    def of(self, chosen: Tensor | slice, theta: Theta, live: Tensor) -> Float[Tensor, ""]:
        """The distance of some tasks."""
        with torch.no_grad():
            targets = functional_call(self.hnet, dict(self.snapshot), (self.embeddings[chosen],))
        return F.mse_loss(functional_call(self.hnet, dict(theta), (live,)), targets, reduction="sum")


class RowSampledRegularizer(OutputRegularizer):
    """The mean over random *chunks*: pairs (task, chunk) drawn anew at every call, not whole tasks; unbiased.

    Where the chunks of one task move together, and those of different tasks less so, single chunks of many tasks
    say more than all chunks of a few tasks, for the same number of generated weights.

    Raises:
        SizeError: `num_rows` is not positive.
    """

    def __init__(self, hnet: HyperNetwork, beta: float, num_rows: int = 256):
        self.num_rows = positive(num_rows, "num_rows")
        super().__init__(hnet, beta)

    def prepare(self) -> None:
        """Nothing is stored but the snapshot."""

    def distance(self, theta: Theta, live: Float[Tensor, "tasks task_dim"]) -> Float[Tensor, ""]:
        """The rows' sum, scaled up to all rows."""
        hnet = self.hnet
        total = self.num_tasks * hnet.num_chunks
        chosen = torch.randperm(total, device=live.device)[: self.num_rows]
        task, chunk = chosen // hnet.num_chunks, chosen % hnet.num_chunks
        generated = self.chunks(theta, live[task], chunk)
        # Of the last chunk, only what the target network uses counts. The rest is its own target.
        used = torch.arange(hnet.chunk_size, device=live.device) < hnet.num_weights - chunk[:, None] * hnet.chunk_size
        with torch.no_grad():
            targets = self.chunks(self.snapshot, self.embeddings[task], chunk).where(used, generated)
        return F.mse_loss(generated, targets, reduction="sum") * (total / len(chosen))

    def chunks(self, theta: Theta, e: Tensor, chunk: Tensor) -> Float[Tensor, "rows chunk_size"]:
        """One generated chunk for each pair (task embedding, index of a chunk)."""
        features = functional_call(self.hnet.body, of_body(theta), (e, chunk))
        return F.linear(features, theta["last.weight"], theta["last.bias"])


def positive(number: int, name: str) -> int:
    """The number, if it is one."""
    if number < 1:
        raise SizeError(f"{name} must be at least 1, but got {number}.")
    return number


def of_body(theta: Theta) -> dict[str, Tensor]:
    """The part of Θ_h that belongs to the hypernetwork's body, named as there."""
    return {name.removeprefix("body."): p for name, p in theta.items() if name.startswith("body.")}


class FactoredRegularizer(OutputRegularizer):
    """The same number without generating a single weight: the last layer is linear, so Gram matrices suffice.

    With features H (a row per task and chunk, a constant 1 appended), last layer W (its bias appended), stars for
    the snapshot, D = H - H* and A = W - W*:

        H Wᵀ - H* W*ᵀ = D W*ᵀ + H Aᵀ,
        ‖ D W*ᵀ + H Aᵀ ‖² = ⟨DᵀD, W*ᵀW*⟩ + 2⟨DᵀH, W*ᵀA⟩ + ⟨HᵀH, AᵀA⟩,

    and the gradients are 2 (W* DᵀH + A HᵀH) for W and 2 (D W*ᵀW + H AᵀW) for H. All products are small but those
    with W and A, which do not depend on the number of tasks. The live features are made a few tasks at a time; of
    what grows with the tasks, only H* is stored.
    """

    @torch.no_grad()
    def prepare(self) -> None:
        """Store W*, W*ᵀW* and H*."""
        hnet = self.hnet
        weight, bias = self.snapshot["last.weight"], self.snapshot["last.bias"]
        self.old_last = torch.cat([weight, bias[:, None]], dim=1)
        # The last chunk is cut to fit: its features meet only the first `cut` rows of W.
        self.cut = hnet.num_weights - (hnet.num_chunks - 1) * hnet.chunk_size
        self.old_gram = self.halves(self.old_last, self.old_last)
        most = AT_ONCE * (50 if weight.is_cuda else 1)  # a GPU likes few large operations better than a cache
        self.at_once = max(1, most // (hnet.num_chunks * hnet.body.num_features))
        body = of_body(self.snapshot)
        self.old_features = torch.cat([features(hnet.body, body, e) for e in self.embeddings.split(self.at_once)])

    def distance(self, theta: Theta, live: Float[Tensor, "tasks task_dim"]) -> Float[Tensor, ""]:
        """Σ_t ‖ f_h(e*_t, Θ*_h) - f_h(e_t, theta) ‖²."""
        return self.of(slice(None), theta, live)

    def of(self, chosen: Tensor | slice, theta: Theta, live: Tensor) -> Float[Tensor, ""]:
        """The distance of some tasks."""
        return FactoredDistance.apply(self, live, self.old_features[chosen], list(theta), *theta.values())

    def halves(self, left: Tensor, right: Tensor) -> Float[Tensor, "2 features_1 features_1"]:
        """leftᵀ right over the rows of W that the last chunk uses, and over the others."""
        return torch.stack([product(left[: self.cut], right[: self.cut]), product(left[self.cut :], right[self.cut :])])


class SampledFactoredRegularizer(SampledRegularizer, FactoredRegularizer):
    """The same random subset of tasks, its distance found as in `FactoredRegularizer`: H* is stored, of all tasks."""

    prepare, of = FactoredRegularizer.prepare, FactoredRegularizer.of


class FactoredDistance(torch.autograd.Function):
    """The distance of `FactoredRegularizer`, with its gradient in closed form.

    What depends on the number of tasks is done in `forward`, a few tasks at a time, down to small matrices: then
    no features of live tasks have to wait for the backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any, form: FactoredRegularizer, live: Tensor, was: Tensor, names: list[str], *values: Tensor
    ) -> Tensor:
        """The distance; with it, for live embeddings and the body the gradient, for W the small products behind it."""
        theta = dict(zip(names, values, strict=True))
        change = torch.empty_like(form.old_last)  # A = W - W*
        torch.sub(theta["last.weight"], form.snapshot["last.weight"], out=change[:, :-1])
        torch.sub(theta["last.bias"], form.snapshot["last.bias"], out=change[:, -1])
        halves = [form.old_gram, form.halves(form.old_last, change), form.halves(change, change)]
        # A whole chunk's features meet all rows of W, the last chunk's only those of the first half.
        meets = [tuple(both.sum(0) for both in halves), tuple(first for first, _ in halves)]
        inputs = {name: p.detach().requires_grad_() for name, p in of_body(theta).items()}
        total, left, grads = live.new_zeros(()), change.new_zeros(2, 2, *change.shape[1:] * 2), []
        for e, old in zip(live.split(form.at_once), was.split(form.at_once), strict=True):
            e = e.detach().requires_grad_()
            with torch.enable_grad():
                new = features(form.hnet.body, inputs, e)
            toward = torch.empty_like(new)
            for chunks, (rows, gram) in enumerate(zip((slice(None, -1), slice(-1, None)), meets, strict=True)):
                value, cross, own, toward[:, rows] = contract(new.detach()[:, rows], old[:, rows], *gram)
                total += value
                left[chunks] += torch.stack([cross, own])
            grads.append(torch.autograd.grad(new, [e, *inputs.values()], toward))
        ctx.form, ctx.names, ctx.change, ctx.left = form, names, change, left
        ctx.live, ctx.body = (
            torch.cat([g[0] for g in grads]),
            {name: sum(g[i] for g in grads) for i, name in enumerate(inputs, start=1)},
        )
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """2 (W* DᵀH + A HᵀH) for W, its bias among it; the other gradients as they are."""
        form, cut, change = ctx.form, ctx.form.cut, ctx.change
        whole, short = 2 * grad * ctx.left
        last = torch.empty_like(change)
        for rows, (cross, own) in ((slice(cut), whole + short), (slice(cut, None), whole)):
            torch.mm(form.old_last[rows], cross, out=last[rows])
            last[rows].addmm_(change[rows], own)
        found = {"last.weight": last[:, :-1], "last.bias": last[:, -1]}
        found |= {f"body.{name}": grad * g for name, g in ctx.body.items()}
        return None, grad * ctx.live, None, None, *(found[name] for name in ctx.names)


def features(body: nn.Module, theta: Theta, e: Float[Tensor, "tasks task_dim"]) -> Tensor:
    """H: the features of each task and chunk, a constant 1 appended."""
    made = functional_call(body, dict(theta), (e,))
    return torch.cat([made, torch.ones_like(made[..., :1])], dim=-1)


def contract(new: Tensor, old: Tensor, ss: Tensor, sa: Tensor, aa: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For rows H, H* and W*ᵀW*, W*ᵀA, AᵀA: the distance, DᵀH, HᵀH, and the distance's gradient for H."""
    h = new.flatten(0, 1)
    d = h - old.flatten(0, 1)
    cross, own = product(d, h), product(h, h)
    value = (product(d, d) * ss).sum() + 2 * (cross * sa).sum() + (own * aa).sum()
    return value, cross, own, 2 * (d @ (ss + sa) + h @ (sa.T + aa)).view_as(new)


def product(left: Float[Tensor, "rows k"], right: Float[Tensor, "rows k"]) -> Float[Tensor, "k k"]:
    """leftᵀ right. Few numbers, each a long sum, would leave a GPU idle: there, pieces are added up side by side."""
    return in_pieces(left, right) if left.is_cuda else left.T @ right


def in_pieces(left: Float[Tensor, "rows k"], right: Float[Tensor, "rows k"]) -> Float[Tensor, "k k"]:
    """leftᵀ right, as a sum over pieces of the rows, and what is left of them."""
    pieces = len(left) // PIECE
    whole = pieces * PIECE
    a, b = (x[:whole].unflatten(0, (pieces, PIECE)) for x in (left, right))
    return torch.addmm(torch.bmm(a.mT, b).sum(0), left[whole:].T, right[whole:])


PIECE = 512  # rows
AT_ONCE = 2_000_000  # features made at a time: what fits a processor's cache


def exact_regularizer(hnet: HyperNetwork, beta: float) -> OutputRegularizer:
    """The form of Eq. 2 that takes fewer operations a step for as many earlier tasks as there are now."""
    direct, factored = operations(hnet, hnet.num_tasks)
    return (OutputRegularizer if direct <= factored else FactoredRegularizer)(hnet, beta)


def sampled_regularizer(hnet: HyperNetwork, beta: float, num_samples: int = 32) -> SampledRegularizer:
    """The form of Appendix D's mean over random tasks that takes fewer operations a step."""
    direct, factored = operations(hnet, min(num_samples, hnet.num_tasks))
    return (SampledRegularizer if direct <= factored else SampledFactoredRegularizer)(hnet, beta, num_samples)


def operations(hnet: HyperNetwork, num_tasks: int) -> tuple[int, int]:
    """What the last layer costs in a step, forward and backward, in multiplications: direct form, factored form.

    The body costs both the same. With R = tasks x chunks rows of k features and chunks of s weights, the direct form
    multiplies R x k by k x s once forward and twice backward, and writes and reads R x s numbers. The factored form
    makes products of size k x k: five with all R rows, four with all s rows; and it starts some thirty operations
    more.
    """
    rows, k, size = num_tasks * hnet.num_chunks, hnet.body.num_features + 1, hnet.chunk_size
    passing, starting = ON_GPU if hnet.last.weight.is_cuda else ON_CPU
    return rows * size * (3 * k + passing), (5 * rows + 4 * size) * k**2 + 30 * starting


# Multiplications in the time that other things take: writing a generated weight to memory, reading it, and the same
# with its gradient; starting one operation. A CPU's are measured. A GPU multiplies so fast that all else is dear: its
# numbers give the form that was faster on an H200, at the tenth of ten tasks.
ON_CPU, ON_GPU = (30, 100_000), (120, 60_000_000)


class Lookahead:
    """Θ_h + ΔΘ_h (Eq. 2): where the optimizer would go on the gradients that are there now, without going there.

    A second optimizer takes the step, with copies of the weights and of the first one's state. So it holds for every
    optimizer whose state is made of tensors. ΔΘ_h is a constant: gradients for Θ_h + ΔΘ_h pass to Θ_h as they are.

    Args:
        theta: Θ_h, as `HyperNetwork.theta` gives it.
        optimizer: has one parameter group, with exactly the values of `theta`, in that order.
    """

    def __init__(self, theta: Theta, optimizer: optim.Optimizer):
        self.theta, self.optimizer = theta, optimizer
        self.copies = [torch.empty_like(p) for p in theta.values()]
        self.scout = type(optimizer)([{**optimizer.param_groups[0], "params": self.copies}])  # type: ignore[call-arg]

    @torch.no_grad()
    def move(self) -> None:
        """Put the copies where the step would lead."""
        self.scout.param_groups[0]["lr"] = self.optimizer.param_groups[0]["lr"]  # a schedule may have changed it
        there, here = list(self.copies), list(self.theta.values())
        for p, copy in zip(self.theta.values(), self.copies, strict=True):
            copy.grad = torch.zeros_like(p) if p.grad is None else p.grad
            mine, state = self.scout.state[copy], self.optimizer.state.get(p, {})
            if not state:  # the optimizer has not taken a step yet
                mine.clear()
            for key, value in state.items():
                there.append(mine.setdefault(key, torch.empty_like(value)))
                here.append(value)
        torch._foreach_copy_(there, here)
        self.scout.step()

    def __call__(self) -> Theta:
        """Θ_h + ΔΘ_h by name."""
        self.move()
        return {n: Shifted.apply(p, c) for (n, p), c in zip(self.theta.items(), self.copies, strict=True)}


class Shifted(torch.autograd.Function):
    """p + Δ, given as a number; the gradient is that for p."""

    @staticmethod
    def forward(ctx: Any, p: Tensor, shifted: Tensor) -> Tensor:
        """p + Δ."""
        return shifted.view_as(shifted)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Δ is a constant."""
        return grad, None
