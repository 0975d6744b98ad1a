"""Mistakes in the assignment on replay."""

from wrong_answers import WrongAnswer

WRONG = [
    WrongAnswer(
        step="draw_latent",
        why="multiplies by the variance, not by the standard deviation",
        code="""
def draw_latent(mean, log_variance, epsilon):
    return mean + log_variance.exp() * epsilon
""",
        loses=("check_draw_latent", "test_draw_latent"),
    ),
    WrongAnswer(
        step="draw_latent",
        why="takes the logarithm of the variance for the standard deviation",
        code="""
def draw_latent(mean, log_variance, epsilon):
    return mean + log_variance * epsilon
""",
        loses=("check_draw_latent", "test_draw_latent"),
    ),
    WrongAnswer(
        step="draw_latent",
        why="a draw without a derivative",
        code="""
@torch.no_grad()
def draw_latent(mean, log_variance, epsilon):
    return mean + (log_variance / 2).exp() * epsilon
""",
        loses=("test_draw_latent",),
    ),
    WrongAnswer(
        step="prior_term",
        why="the bound's sign",
        code="""
def prior_term(mean, log_variance):
    return (1 + log_variance - log_variance.exp() - mean**2).sum(dim=1) / 2
""",
        loses=("check_prior_term", "test_prior_term"),
    ),
    WrongAnswer(
        step="prior_term",
        why="averages over the entries of z",
        code="""
def prior_term(mean, log_variance):
    return -(1 + log_variance - log_variance.exp() - mean**2).mean(dim=1) / 2
""",
        loses=("check_prior_term", "test_prior_term"),
    ),
    WrongAnswer(
        step="prior_term",
        why="takes the logarithm of the variance for that of the standard deviation",
        code="""
def prior_term(mean, log_variance):
    return -(1 + 2 * log_variance - (2 * log_variance).exp() - mean**2).sum(dim=1) / 2
""",
        loses=("test_prior_term",),
    ),
    WrongAnswer(
        step="prior_term",
        why="one number for the whole batch",
        code="""
def prior_term(mean, log_variance):
    return -(1 + log_variance - log_variance.exp() - mean**2).sum() / 2
""",
        loses=("check_prior_term", "test_prior_term"),
    ),
    WrongAnswer(
        step="vae_objective",
        why="divides only one of the two terms by the number of pixels",
        code="""
def vae_objective(x, encoder, decode, epsilon):
    mean, log_variance = encoder(x).chunk(2, dim=1)
    logits = decode(draw_latent(mean, log_variance, epsilon))
    rec = F.binary_cross_entropy_with_logits(logits, x)
    return rec + prior_term(mean, log_variance).mean()
""",
        loses=("check_vae_objective", "test_vae_objective"),
    ),
    WrongAnswer(
        step="vae_objective",
        why="sums over the batch",
        code="""
def vae_objective(x, encoder, decode, epsilon):
    mean, log_variance = encoder(x).chunk(2, dim=1)
    logits = decode(draw_latent(mean, log_variance, epsilon))
    rec = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    return (rec + prior_term(mean, log_variance).sum()) / x.shape[1]
""",
        loses=("check_vae_objective", "test_vae_objective"),
    ),
    WrongAnswer(
        step="vae_objective",
        why="decodes the mean instead of the draw",
        code="""
def vae_objective(x, encoder, decode, epsilon):
    mean, log_variance = encoder(x).chunk(2, dim=1)
    rec = F.binary_cross_entropy_with_logits(decode(mean), x)
    return rec + prior_term(mean, log_variance).mean() / x.shape[1]
""",
        loses=("test_vae_objective",),
    ),
    WrongAnswer(
        step="vae_objective",
        why="sigmoid and logarithm, one after the other",
        code="""
def vae_objective(x, encoder, decode, epsilon):
    mean, log_variance = encoder(x).chunk(2, dim=1)
    y = decode(draw_latent(mean, log_variance, epsilon)).sigmoid()
    rec = -(x * y.log() + (1 - x) * (1 - y).log()).mean()
    return rec + prior_term(mean, log_variance).mean() / x.shape[1]
""",
        loses=("check_vae_objective", "test_vae_objective"),
    ),
    WrongAnswer(
        step="vae_objective",
        why="mean squared error for the pixels",
        code="""
def vae_objective(x, encoder, decode, epsilon):
    mean, log_variance = encoder(x).chunk(2, dim=1)
    y = decode(draw_latent(mean, log_variance, epsilon)).sigmoid()
    return F.mse_loss(y, x) + prior_term(mean, log_variance).mean() / x.shape[1]
""",
        loses=("check_vae_objective", "test_vae_objective"),
    ),
    WrongAnswer(
        step="vae_objective",
        why="variances first, means second",
        code="""
def vae_objective(x, encoder, decode, epsilon):
    log_variance, mean = encoder(x).chunk(2, dim=1)
    logits = decode(draw_latent(mean, log_variance, epsilon))
    rec = F.binary_cross_entropy_with_logits(logits, x)
    return rec + prior_term(mean, log_variance).mean() / x.shape[1]
""",
        loses=("test_vae_objective",),
    ),
    WrongAnswer(
        step="decode_task",
        why="logits for pixels",
        code="""
@torch.no_grad()
def decode_task(vae, task, z):
    constant = vae.inputs.of_task(task).expand(len(z), -1)
    weights = vae.hnet(vae.hnet.embedding(task))
    return vae.target(weights, torch.cat([z, constant], dim=1))
""",
        loses=("check_decode_task", "test_decode_task"),
    ),
    WrongAnswer(
        step="decode_task",
        why="always the newest decoder, with the task's constant input",
        code="""
@torch.no_grad()
def decode_task(vae, task, z):
    constant = vae.inputs.of_task(task).expand(len(z), -1)
    weights = vae.hnet(vae.hnet.embedding(vae.hnet.num_tasks - 1))
    return vae.target(weights, torch.cat([z, constant], dim=1)).sigmoid()
""",
        loses=("test_decode_task",),
    ),
    WrongAnswer(
        step="decode_task",
        why="the first task's constant input for all",
        code="""
@torch.no_grad()
def decode_task(vae, task, z):
    constant = vae.inputs.of_task(0).expand(len(z), -1)
    weights = vae.hnet(vae.hnet.embedding(task))
    return vae.target(weights, torch.cat([z, constant], dim=1)).sigmoid()
""",
        loses=("test_decode_task",),
    ),
    WrongAnswer(
        step="decode_task",
        why="the constant input in front of z",
        code="""
@torch.no_grad()
def decode_task(vae, task, z):
    constant = vae.inputs.of_task(task).expand(len(z), -1)
    weights = vae.hnet(vae.hnet.embedding(task))
    return vae.target(weights, torch.cat([constant, z], dim=1)).sigmoid()
""",
        loses=("test_decode_task",),
    ),
    WrongAnswer(
        step="decode_task",
        why="keeps the graph of the hypernetwork",
        code="""
def decode_task(vae, task, z):
    constant = vae.inputs.of_task(task).expand(len(z), -1)
    weights = vae.hnet(vae.hnet.embedding(task))
    return vae.target(weights, torch.cat([z, constant], dim=1)).sigmoid()
""",
        loses=("check_decode_task", "test_decode_task"),
    ),
    WrongAnswer(
        step="drift",
        why="the mean absolute change",
        code="""
def drift(first, last):
    return (last - first).abs().mean(dim=(1, 2))
""",
        loses=("check_drift", "test_drift"),
    ),
    WrongAnswer(
        step="drift",
        why="the root of each picture first, then the mean",
        code="""
def drift(first, last):
    return (last - first).square().mean(dim=2).sqrt().mean(dim=1)
""",
        loses=("test_drift",),
    ),
    WrongAnswer(
        step="drift",
        why="the change of the mean picture",
        code="""
def drift(first, last):
    return (last.mean(dim=1) - first.mean(dim=1)).square().mean(dim=1).sqrt()
""",
        loses=("test_drift",),
    ),
    WrongAnswer(
        step="replayed",
        why="rounds down",
        code="""
def replayed(draw, past, size):
    samples = draw(size // past)
    which = torch.arange(past).repeat_interleave(samples.shape[1])
    return samples.flatten(0, 1), which
""",
        loses=("check_replayed", "test_replayed"),
    ),
    WrongAnswer(
        step="replayed",
        why="a whole batch of each task",
        code="""
def replayed(draw, past, size):
    samples = draw(size)
    which = torch.arange(past).repeat_interleave(samples.shape[1])
    return samples.flatten(0, 1), which
""",
        loses=("check_replayed", "test_replayed"),
    ),
    WrongAnswer(
        step="replayed",
        why="labels 0, 1, 2, 0, 1, 2 for samples 0, 0, 1, 1, 2, 2",
        code="""
def replayed(draw, past, size):
    samples = draw(ceil(size / past))
    which = torch.arange(past).repeat(samples.shape[1])
    return samples.flatten(0, 1), which
""",
        loses=("check_replayed", "test_replayed"),
    ),
    WrongAnswer(
        step="replayed",
        why="draws anew for each task",
        code="""
def replayed(draw, past, size):
    each = ceil(size / past)
    samples = torch.cat([draw(each)[t] for t in range(past)])
    return samples, torch.arange(past).repeat_interleave(each)
""",
        loses=("test_replayed",),
    ),
    WrongAnswer(
        step="task_loss",
        why="all outputs compete, those of tasks to come as well",
        code="""
def task_loss(classifier, new, old, made_for, seen):
    present = torch.full((len(new),), seen - 1)
    new_part = F.cross_entropy(classifier(new), present)
    return (new_part + F.cross_entropy(classifier(old), made_for)) / 2
""",
        loses=("check_task_loss", "test_task_loss"),
    ),
    WrongAnswer(
        step="task_loss",
        why="one mean over new and old samples together",
        code="""
def task_loss(classifier, new, old, made_for, seen):
    labels = torch.cat([torch.full((len(new),), seen - 1), made_for])
    return F.cross_entropy(classifier(torch.cat([new, old]))[:, :seen], labels)
""",
        loses=("test_task_loss",),
    ),
    WrongAnswer(
        step="task_loss",
        why="the sum, not half and half",
        code="""
def task_loss(classifier, new, old, made_for, seen):
    present = torch.full((len(new),), seen - 1)
    new_part = F.cross_entropy(classifier(new)[:, :seen], present)
    return new_part + F.cross_entropy(classifier(old)[:, :seen], made_for)
""",
        loses=("check_task_loss", "test_task_loss"),
    ),
    WrongAnswer(
        step="task_loss",
        why="the new task gets one share in T",
        code="""
def task_loss(classifier, new, old, made_for, seen):
    present = torch.full((len(new),), seen - 1)
    new_part = F.cross_entropy(classifier(new)[:, :seen], present)
    old_part = F.cross_entropy(classifier(old)[:, :seen], made_for)
    return new_part / seen + old_part * (1 - 1 / seen)
""",
        loses=("test_task_loss",),
    ),
    WrongAnswer(
        step="task_loss",
        why="new data get the label of the task before",
        code="""
def task_loss(classifier, new, old, made_for, seen):
    present = torch.full((len(new),), seen - 2)
    new_part = F.cross_entropy(classifier(new)[:, :seen], present)
    return (new_part + F.cross_entropy(classifier(old)[:, :seen], made_for)) / 2
""",
        loses=("test_task_loss",),
    ),
    WrongAnswer(
        step="distillation",
        why="forgets the factor of the temperature squared",
        code="""
def distillation(new, old, temperature=2.0):
    p = (old / temperature).softmax(dim=1)
    log_q = (new / temperature).log_softmax(dim=1)[:, : old.shape[1]]
    return -(p * log_q).sum(dim=1).mean()
""",
        loses=("check_distillation", "test_distillation"),
    ),
    WrongAnswer(
        step="distillation",
        why="new classes do not compete",
        code="""
def distillation(new, old, temperature=2.0):
    p = (old / temperature).softmax(dim=1)
    log_q = (new[:, : old.shape[1]] / temperature).log_softmax(dim=1)
    return -(p * log_q).sum(dim=1).mean() * temperature**2
""",
        loses=("check_distillation", "test_distillation"),
    ),
    WrongAnswer(
        step="distillation",
        why="softens the target, but not the answer",
        code="""
def distillation(new, old, temperature=2.0):
    p = (old / temperature).softmax(dim=1)
    log_q = new.log_softmax(dim=1)[:, : old.shape[1]]
    return -(p * log_q).sum(dim=1).mean() * temperature**2
""",
        loses=("test_distillation",),
    ),
    WrongAnswer(
        step="distillation",
        why="multiplies by the temperature",
        code="""
def distillation(new, old, temperature=2.0):
    p = (old * temperature).softmax(dim=1)
    log_q = (new * temperature).log_softmax(dim=1)[:, : old.shape[1]]
    return -(p * log_q).sum(dim=1).mean() * temperature**2
""",
        loses=("test_distillation",),
    ),
    WrongAnswer(
        step="distillation",
        why="hard targets: the old network's favourite class",
        code="""
def distillation(new, old, temperature=2.0):
    return F.cross_entropy(new / temperature, old.argmax(dim=1)) * temperature**2
""",
        loses=("test_distillation",),
    ),
]
