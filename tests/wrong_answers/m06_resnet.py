"""Mistakes in the assignment on ResNets and batch norm."""

from wrong_answers import WrongAnswer

WRONG = [
    WrongAnswer(
        step="resnet_weights",
        why="no biases behind convolutions, as in most libraries",
        code="""
def resnet_weights(blocks, width, outputs):
    channels = [3, width] + [c for c in (width, 2 * width, 4 * width) for _ in range(2 * blocks)]
    return sum(9 * a * b + 2 * b for a, b in pairwise(channels)) + (channels[-1] + 1) * outputs
""",
        loses=("check_resnet_weights", "test_resnet_weights"),
    ),
    WrongAnswer(
        step="resnet_weights",
        why="counts running means and variances",
        code="""
def resnet_weights(blocks, width, outputs):
    channels = [3, width] + [c for c in (width, 2 * width, 4 * width) for _ in range(2 * blocks)]
    return sum(9 * a * b + 5 * b for a, b in pairwise(channels)) + (channels[-1] + 1) * outputs
""",
        loses=("check_resnet_weights", "test_resnet_weights"),
    ),
    WrongAnswer(
        step="resnet_weights",
        why="shortcuts with weights (option B)",
        code="""
def resnet_weights(blocks, width, outputs):
    channels = [3, width] + [c for c in (width, 2 * width, 4 * width) for _ in range(2 * blocks)]
    around = sum(a * b + 3 * b for a, b in ((width, 2 * width), (2 * width, 4 * width)))
    return sum(9 * a * b + 3 * b for a, b in pairwise(channels)) + around + (channels[-1] + 1) * outputs
""",
        loses=("check_resnet_weights", "test_resnet_weights"),
    ),
    WrongAnswer(
        step="resnet_weights",
        why="the paper's number for everything",
        code="""
def resnet_weights(blocks, width, outputs):
    return 468540
""",
        loses=("test_resnet_weights",),
    ),
    WrongAnswer(
        step="hypernetwork_weights",
        why="rounds down",
        code="""
def hypernetwork_weights(num_weights, task_dim, chunk_dim, chunk_size, tasks):
    chunks = num_weights // chunk_size
    return (task_dim + chunk_dim + 1) * chunk_size + chunks * chunk_dim + tasks * task_dim
""",
        loses=("check_hypernetwork_weights", "test_hypernetwork_weights"),
    ),
    WrongAnswer(
        step="hypernetwork_weights",
        why="one chunk too many where the weights fit exactly",
        code="""
def hypernetwork_weights(num_weights, task_dim, chunk_dim, chunk_size, tasks):
    chunks = num_weights // chunk_size + 1
    return (task_dim + chunk_dim + 1) * chunk_size + chunks * chunk_dim + tasks * task_dim
""",
        loses=("test_hypernetwork_weights",),
    ),
    WrongAnswer(
        step="hypernetwork_weights",
        why="forgets the bias",
        code="""
def hypernetwork_weights(num_weights, task_dim, chunk_dim, chunk_size, tasks):
    chunks = ceil(num_weights / chunk_size)
    return (task_dim + chunk_dim) * chunk_size + chunks * chunk_dim + tasks * task_dim
""",
        loses=("check_hypernetwork_weights", "test_hypernetwork_weights"),
    ),
    WrongAnswer(
        step="hypernetwork_weights",
        why="chunk embeddings for each task",
        code="""
def hypernetwork_weights(num_weights, task_dim, chunk_dim, chunk_size, tasks):
    chunks = ceil(num_weights / chunk_size)
    return (task_dim + chunk_dim + 1) * chunk_size + tasks * (chunks * chunk_dim + task_dim)
""",
        loses=("check_hypernetwork_weights", "test_hypernetwork_weights"),
    ),
    WrongAnswer(
        step="shortcut",
        why="new channels in front",
        code="""
def shortcut(x, channels, stride):
    x = x[:, :, ::stride, ::stride]
    return F.pad(x, (0, 0, 0, 0, channels - x.shape[1], 0))
""",
        loses=("check_shortcut", "test_shortcut"),
    ),
    WrongAnswer(
        step="shortcut",
        why="averages pixels instead of taking every other one",
        code="""
def shortcut(x, channels, stride):
    x = F.avg_pool2d(x, stride, ceil_mode=True)
    return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1]))
""",
        loses=("check_shortcut", "test_shortcut"),
    ),
    WrongAnswer(
        step="shortcut",
        why="always halves",
        code="""
def shortcut(x, channels, stride):
    x = x[:, :, ::2, ::2]
    return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1]))
""",
        loses=("test_shortcut",),
    ),
    WrongAnswer(
        step="shortcut",
        why="drops the last pixel of odd sides",
        code="""
def shortcut(x, channels, stride):
    high, wide = x.shape[2] // stride, x.shape[3] // stride
    x = x[:, :, : high * stride : stride, : wide * stride : stride]
    return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1]))
""",
        loses=("test_shortcut",),
    ),
    WrongAnswer(
        step="batch_norm",
        why="normalizes by the variance that is divided by n - 1",
        code="""
def batch_norm(x, layer, training):
    shape = (1, -1, 1, 1)
    mean, var = layer["running_mean"], layer["running_var"]
    if training:
        var, mean = torch.var_mean(x, dim=(0, 2, 3))
        layer["running_mean"] = (0.9 * layer["running_mean"] + 0.1 * mean).detach()
        layer["running_var"] = (0.9 * layer["running_var"] + 0.1 * var).detach()
    z = (x - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt()
    return layer["weight"].view(shape) * z + layer["bias"].view(shape)
""",
        loses=("check_batch_norm", "test_batch_norm"),
    ),
    WrongAnswer(
        step="batch_norm",
        why="keeps the variance that is divided by n",
        code="""
def batch_norm(x, layer, training):
    shape = (1, -1, 1, 1)
    mean, var = layer["running_mean"], layer["running_var"]
    if training:
        var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        layer["running_mean"] = (0.9 * layer["running_mean"] + 0.1 * mean).detach()
        layer["running_var"] = (0.9 * layer["running_var"] + 0.1 * var).detach()
    z = (x - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt()
    return layer["weight"].view(shape) * z + layer["bias"].view(shape)
""",
        loses=("check_batch_norm", "test_batch_norm"),
    ),
    WrongAnswer(
        step="batch_norm",
        why="statistics move nine tenths of the way",
        code="""
def batch_norm(x, layer, training):
    shape = (1, -1, 1, 1)
    mean, var = layer["running_mean"], layer["running_var"]
    if training:
        var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        n = x.numel() / x.shape[1]
        layer["running_mean"] = (0.1 * layer["running_mean"] + 0.9 * mean).detach()
        layer["running_var"] = (0.1 * layer["running_var"] + 0.9 * var * n / (n - 1)).detach()
    z = (x - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt()
    return layer["weight"].view(shape) * z + layer["bias"].view(shape)
""",
        loses=("check_batch_norm", "test_batch_norm"),
    ),
    WrongAnswer(
        step="batch_norm",
        why="moves the statistics first and normalizes with them, in training, too",
        code="""
def batch_norm(x, layer, training):
    shape = (1, -1, 1, 1)
    if training:
        var, mean = torch.var_mean(x.detach(), dim=(0, 2, 3))
        layer["running_mean"] = 0.9 * layer["running_mean"] + 0.1 * mean
        layer["running_var"] = 0.9 * layer["running_var"] + 0.1 * var
    z = (x - layer["running_mean"].view(shape)) / (layer["running_var"].view(shape) + 1e-5).sqrt()
    return layer["weight"].view(shape) * z + layer["bias"].view(shape)
""",
        loses=("check_batch_norm", "test_batch_norm"),
    ),
    WrongAnswer(
        step="batch_norm",
        why="takes the statistics of the batch for constants: the gradient is another",
        code="""
def batch_norm(x, layer, training):
    shape = (1, -1, 1, 1)
    mean, var = layer["running_mean"], layer["running_var"]
    if training:
        var, mean = torch.var_mean(x.detach(), dim=(0, 2, 3), correction=0)
        n = x.numel() / x.shape[1]
        layer["running_mean"] = 0.9 * layer["running_mean"] + 0.1 * mean
        layer["running_var"] = 0.9 * layer["running_var"] + 0.1 * var * n / (n - 1)
    z = (x - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt()
    return layer["weight"].view(shape) * z + layer["bias"].view(shape)
""",
        loses=("test_batch_norm",),
    ),
    WrongAnswer(
        step="batch_norm",
        why="statistics of each picture on its own",
        code="""
def batch_norm(x, layer, training):
    shape = (1, -1, 1, 1)
    if not training:
        mean, var = layer["running_mean"].view(shape), layer["running_var"].view(shape)
    else:
        var, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
        whole_var, whole_mean = torch.var_mean(x.detach(), dim=(0, 2, 3))
        layer["running_mean"] = 0.9 * layer["running_mean"] + 0.1 * whole_mean
        layer["running_var"] = 0.9 * layer["running_var"] + 0.1 * whole_var
    z = (x - mean) / (var + 1e-5).sqrt()
    return layer["weight"].view(shape) * z + layer["bias"].view(shape)
""",
        loses=("check_batch_norm", "test_batch_norm"),
    ),
    WrongAnswer(
        step="batch_norm",
        why="forgets scale and shift",
        code="""
def batch_norm(x, layer, training):
    shape = (1, -1, 1, 1)
    mean, var = layer["running_mean"], layer["running_var"]
    if training:
        var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        n = x.numel() / x.shape[1]
        layer["running_mean"] = (0.9 * layer["running_mean"] + 0.1 * mean).detach()
        layer["running_var"] = (0.9 * layer["running_var"] + 0.1 * var * n / (n - 1)).detach()
    return (x - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt()
""",
        loses=("test_batch_norm",),
    ),
    WrongAnswer(
        step="predict_with",
        why="in training mode the module writes into the stored statistics",
        code="""
@torch.no_grad()
def predict_with(learner, x, task, statistics):
    weights = learner.hnet(learner.hnet.embedding(task))
    buffers = learner.buffers[-1 if statistics == "last" else task]
    learner.target.module.train(statistics == "batch")
    return learner.target(weights, x, learner.heads[task], buffers)
""",
        loses=("check_predict_with", "test_predict_with"),
    ),
    WrongAnswer(
        step="predict_with",
        why="in training mode the module writes into its own statistics",
        code="""
@torch.no_grad()
def predict_with(learner, x, task, statistics):
    weights = learner.hnet(learner.hnet.embedding(task))
    buffers = {"own": learner.buffers[task], "last": learner.buffers[-1], "batch": None}
    learner.target.module.train(statistics == "batch")
    return learner.target(weights, x, learner.heads[task], buffers[statistics])
""",
        loses=("test_predict_with",),
    ),
    WrongAnswer(
        step="predict_with",
        why="forgets to switch back from training mode",
        code="""
@torch.no_grad()
def predict_with(learner, x, task, statistics):
    weights = learner.hnet(learner.hnet.embedding(task))
    stored = learner.buffers[-1 if statistics == "last" else task]
    buffers = {name: buffer.clone() for name, buffer in stored.items()}
    if statistics == "batch":
        learner.target.module.train()
    return learner.target(weights, x, learner.heads[task], buffers)
""",
        loses=("check_predict_with", "test_predict_with"),
    ),
    WrongAnswer(
        step="predict_with",
        why="takes the weights of the last task along with its statistics",
        code="""
@torch.no_grad()
def predict_with(learner, x, task, statistics):
    which = -1 if statistics == "last" else task
    weights = learner.hnet(learner.hnet.task_embeddings[which])
    buffers = {name: buffer.clone() for name, buffer in learner.buffers[which].items()}
    learner.target.module.train(statistics == "batch")
    return learner.target(weights, x, learner.heads[task], buffers)
""",
        loses=("test_predict_with",),
    ),
    WrongAnswer(
        step="predict_with",
        why="always in the first head",
        code="""
@torch.no_grad()
def predict_with(learner, x, task, statistics):
    weights = learner.hnet(learner.hnet.embedding(task))
    stored = learner.buffers[-1 if statistics == "last" else task]
    buffers = {name: buffer.clone() for name, buffer in stored.items()}
    learner.target.module.train(statistics == "batch")
    return learner.target(weights, x, learner.heads[0], buffers)
""",
        loses=("test_predict_with",),
    ),
    WrongAnswer(
        step="follow",
        why="the chain rule, where there should be none",
        code="""
class Follow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, value, seen):
        ctx.gradient = value - seen
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return grad, ctx.gradient * grad.sum(), None
""",
        loses=("check_follow", "test_follow"),
    ),
    WrongAnswer(
        step="follow",
        why="the step instead of the gradient",
        code="""
class Follow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, value, seen):
        ctx.gradient = seen - value
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return grad, ctx.gradient, None
""",
        loses=("check_follow", "test_follow"),
    ),
    WrongAnswer(
        step="follow",
        why="forgets the half: twice the gradient",
        code="""
class Follow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, value, seen):
        ctx.gradient = 2 * (value - seen)
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return grad, ctx.gradient, None
""",
        loses=("check_follow", "test_follow"),
    ),
    WrongAnswer(
        step="follow",
        why="stops the gradient of x",
        code="""
class Follow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, value, seen):
        ctx.gradient = value - seen
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return None, ctx.gradient, None
""",
        loses=("check_follow", "test_follow"),
    ),
    WrongAnswer(
        step="plateau_rates",
        why="reduces one epoch too early",
        code="""
def plateau_rates(accuracies, first=1e-3):
    rates, rate, best, waited = [], first, -1.0, 0
    for accuracy in accuracies:
        rates.append(rate)
        waited = 0 if accuracy > best else waited + 1
        best = max(best, accuracy)
        if waited == 5:
            rate, waited = max(rate / sqrt(10), 0.5e-6), 0
    return rates
""",
        loses=("check_plateau_rates", "test_plateau_rates"),
    ),
    WrongAnswer(
        step="plateau_rates",
        why="the count does not start again after a reduction",
        code="""
def plateau_rates(accuracies, first=1e-3):
    rates, rate, best, waited = [], first, -1.0, 0
    for accuracy in accuracies:
        rates.append(rate)
        waited = 0 if accuracy > best else waited + 1
        best = max(best, accuracy)
        if waited >= 6:
            rate = max(rate / sqrt(10), 0.5e-6)
    return rates
""",
        loses=("check_plateau_rates", "test_plateau_rates"),
    ),
    WrongAnswer(
        step="plateau_rates",
        why="compares with the last epoch, not with the best",
        code="""
def plateau_rates(accuracies, first=1e-3):
    rates, rate, last, waited = [], first, -1.0, 0
    for accuracy in accuracies:
        rates.append(rate)
        waited = 0 if accuracy > last else waited + 1
        last = accuracy
        if waited == 6:
            rate, waited = max(rate / sqrt(10), 0.5e-6), 0
    return rates
""",
        loses=("test_plateau_rates",),
    ),
    WrongAnswer(
        step="plateau_rates",
        why="an equal accuracy counts as a new best",
        code="""
def plateau_rates(accuracies, first=1e-3):
    rates, rate, best, waited = [], first, -1.0, 0
    for accuracy in accuracies:
        rates.append(rate)
        waited = 0 if accuracy >= best else waited + 1
        best = max(best, accuracy)
        if waited == 6:
            rate, waited = max(rate / sqrt(10), 0.5e-6), 0
    return rates
""",
        loses=("check_plateau_rates", "test_plateau_rates"),
    ),
    WrongAnswer(
        step="plateau_rates",
        why="forgets the floor",
        code="""
def plateau_rates(accuracies, first=1e-3):
    rates, rate, best, waited = [], first, -1.0, 0
    for accuracy in accuracies:
        rates.append(rate)
        waited = 0 if accuracy > best else waited + 1
        best = max(best, accuracy)
        if waited == 6:
            rate, waited = rate / sqrt(10), 0
    return rates
""",
        loses=("test_plateau_rates",),
    ),
    WrongAnswer(
        step="plateau_rates",
        why="the rate falls already in the epoch that is just over",
        code="""
def plateau_rates(accuracies, first=1e-3):
    rates, rate, best, waited = [], first, -1.0, 0
    for accuracy in accuracies:
        waited = 0 if accuracy > best else waited + 1
        best = max(best, accuracy)
        if waited == 6:
            rate, waited = max(rate / sqrt(10), 0.5e-6), 0
        rates.append(rate)
    return rates
""",
        loses=("check_plateau_rates", "test_plateau_rates"),
    ),
    WrongAnswer(
        step="augment",
        why="a loop over pictures",
        code="""
def augment(x, top, left, mirrored, padding=4):
    padded, (height, width) = F.pad(x, (0, 0, *(padding,) * 4)), x.shape[1:3]
    windows = [p[t : t + height, l : l + width] for p, t, l in zip(padded, top, left)]
    return torch.stack([w.flip(1) if m else w for w, m in zip(windows, mirrored)])
""",
        loses=("test_augment",),
    ),
    WrongAnswer(
        step="augment",
        why="the same window for all pictures",
        code="""
def augment(x, top, left, mirrored, padding=4):
    padded, (height, width) = F.pad(x, (0, 0, *(padding,) * 4)), x.shape[1:3]
    cut = padded[:, top[0] : top[0] + height, left[0] : left[0] + width]
    return torch.where(mirrored[:, None, None, None], cut.flip(2), cut)
""",
        loses=("check_augment", "test_augment"),
    ),
    WrongAnswer(
        step="augment",
        why="turns pictures upside down",
        code="""
def augment(x, top, left, mirrored, padding=4):
    n, height, width, _ = x.shape
    padded = F.pad(x, (0, 0, *(padding,) * 4))
    rows = torch.arange(height).expand(n, -1)
    rows = top[:, None] + torch.where(mirrored[:, None], rows.flip(1), rows)
    columns = left[:, None] + torch.arange(width)
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None]]
""",
        loses=("check_augment", "test_augment"),
    ),
    WrongAnswer(
        step="augment",
        why="mirrors first, and moves the mirrored picture",
        code="""
def augment(x, top, left, mirrored, padding=4):
    n, height, width, _ = x.shape
    x = torch.where(mirrored[:, None, None, None], x.flip(2), x)
    padded = F.pad(x, (0, 0, *(padding,) * 4))
    rows, columns = top[:, None] + torch.arange(height), left[:, None] + torch.arange(width)
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None]]
""",
        loses=("test_augment",),
    ),
    WrongAnswer(
        step="augment",
        why="takes the top for the left",
        code="""
def augment(x, top, left, mirrored, padding=4):
    n, height, width, _ = x.shape
    padded = F.pad(x, (0, 0, *(padding,) * 4))
    columns = torch.arange(width).expand(n, -1)
    columns = top[:, None] + torch.where(mirrored[:, None], columns.flip(1), columns)
    rows = left[:, None] + torch.arange(height)
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None]]
""",
        loses=("check_augment", "test_augment"),
    ),
    WrongAnswer(
        step="augment",
        why="always pads by four",
        code="""
def augment(x, top, left, mirrored, padding=4):
    n, height, width, _ = x.shape
    padded = F.pad(x, (0, 0, 4, 4, 4, 4))
    columns = torch.arange(width).expand(n, -1)
    columns = left[:, None] + torch.where(mirrored[:, None], columns.flip(1), columns)
    rows = top[:, None] + torch.arange(height)
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None]]
""",
        loses=("test_augment",),
    ),
]
