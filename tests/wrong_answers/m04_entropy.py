"""Mistakes in the assignment on task inference by entropy."""

from wrong_answers import WrongAnswer

WRONG = [
    WrongAnswer(
        step="predictive_entropy",
        why="word for word: 0 times log 0 is not a number",
        code="""
def predictive_entropy(outputs):
    p = outputs.softmax(dim=-1)
    return -(p * p.log()).sum(dim=-1)
""",
        loses=("check_predictive_entropy", "test_predictive_entropy"),
    ),
    WrongAnswer(
        step="predictive_entropy",
        why="a small number inside the logarithm: finite, but wrong for certain networks",
        code="""
def predictive_entropy(outputs):
    p = outputs.softmax(dim=-1)
    return -(p * (p + 1e-8).log()).sum(dim=-1)
""",
        loses=("test_predictive_entropy",),
    ),
    WrongAnswer(
        step="predictive_entropy",
        why="bits instead of nats",
        code="""
def predictive_entropy(outputs):
    log_p = outputs.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1) / log(2)
""",
        loses=("check_predictive_entropy", "test_predictive_entropy"),
    ),
    WrongAnswer(
        step="predictive_entropy",
        why="classes on the second axis, not on the last",
        code="""
def predictive_entropy(outputs):
    dim = min(1, outputs.ndim - 1)
    log_p = outputs.log_softmax(dim=dim)
    return -(log_p.exp() * log_p).sum(dim=dim)
""",
        loses=("test_predictive_entropy",),
    ),
    WrongAnswer(
        step="choose_lowest",
        why="takes the highest entropy",
        code="""
def choose_lowest(outputs):
    task = predictive_entropy(outputs).argmax(dim=0)
    return task, outputs.argmax(dim=-1).gather(0, task[None])[0]
""",
        loses=("check_choose_lowest", "test_choose_lowest"),
    ),
    WrongAnswer(
        step="choose_lowest",
        why="takes the highest probability, not the lowest entropy",
        code="""
def choose_lowest(outputs):
    task = outputs.softmax(dim=-1).amax(dim=-1).argmax(dim=0)
    return task, outputs.argmax(dim=-1).gather(0, task[None])[0]
""",
        loses=("test_choose_lowest",),
    ),
    WrongAnswer(
        step="choose_lowest",
        why="one task for the whole batch",
        code="""
def choose_lowest(outputs):
    task = predictive_entropy(outputs).mean(dim=1).argmin()
    return task.expand(outputs.shape[1]), outputs[task].argmax(dim=-1)
""",
        loses=("check_choose_lowest", "test_choose_lowest"),
    ),
    WrongAnswer(
        step="choose_lowest",
        why="the class of the loudest network, whichever task was chosen",
        code="""
def choose_lowest(outputs):
    task = predictive_entropy(outputs).argmin(dim=0)
    return task, outputs.amax(dim=0).argmax(dim=-1)
""",
        loses=("test_choose_lowest",),
    ),
    WrongAnswer(
        step="ask_in_turn",
        why="forgets the heads",
        code="""
@torch.no_grad()
def ask_in_turn(learner, x):
    weights = [learner.hnet(e) for e in learner.hnet.task_embeddings]
    return torch.stack([learner.target(w, x) for w in weights])
""",
        loses=("check_ask_in_turn", "test_ask_in_turn"),
    ),
    WrongAnswer(
        step="ask_in_turn",
        why="every network answers in the first head",
        code="""
@torch.no_grad()
def ask_in_turn(learner, x):
    weights = [learner.hnet(e) for e in learner.hnet.task_embeddings]
    return torch.stack([learner.target(w, x, learner.heads[0]) for w in weights])
""",
        loses=("test_ask_in_turn",),
    ),
    WrongAnswer(
        step="ask_in_turn",
        why="one network, the last one, in all heads",
        code="""
@torch.no_grad()
def ask_in_turn(learner, x):
    weights = learner.hnet(learner.hnet.embedding(learner.hnet.num_tasks - 1))
    return torch.stack([learner.target(weights, x, head) for head in learner.heads])
""",
        loses=("test_ask_in_turn",),
    ),
    WrongAnswer(
        step="ask_in_turn",
        why="leaves it to the library",
        code="""
@torch.no_grad()
def ask_in_turn(learner, x):
    return torch.stack([learner.predict(x, t) for t in range(learner.hnet.num_tasks)])
""",
        loses=("test_ask_in_turn",),
    ),
    WrongAnswer(
        step="ask_at_once",
        why="a loop in disguise",
        code="""
@torch.no_grad()
def ask_at_once(learner, x):
    return ask_in_turn(learner, x)
""",
        loses=("check_ask_at_once", "test_ask_at_once"),
    ),
    WrongAnswer(
        step="ask_at_once",
        why="generates all weights at once, but evaluates one network after another",
        code="""
@torch.no_grad()
def ask_at_once(learner, x):
    rows = learner.hnet(torch.stack(list(learner.hnet.task_embeddings)))
    return torch.stack([learner.target(row, x, head) for row, head in zip(rows, learner.heads)])
""",
        loses=("check_ask_at_once", "test_ask_at_once"),
    ),
    WrongAnswer(
        step="ask_at_once",
        why="cuts every network's outputs down to the first head",
        code="""
@torch.no_grad()
def ask_at_once(learner, x):
    rows = learner.hnet(torch.stack(list(learner.hnet.task_embeddings)))
    weights, module = learner.target.unflatten(rows), learner.target.module
    outputs = vmap(lambda one: functional_call(module, one, (x,)))(weights)
    return outputs[:, :, learner.heads[0]]
""",
        loses=("check_ask_at_once", "test_ask_at_once"),
    ),
    WrongAnswer(
        step="ask_at_once",
        why="deals the images out to the networks",
        code="""
@torch.no_grad()
def ask_at_once(learner, x):
    rows = learner.hnet(torch.stack(list(learner.hnet.task_embeddings)))
    weights, module = learner.target.unflatten(rows), learner.target.module
    x = x[: len(rows)]
    every = vmap(lambda one, image: functional_call(module, one, (image[None],)))
    return torch.stack([o[:, h] for o, h in zip(every(weights, x), learner.heads)])
""",
        loses=("check_ask_at_once", "test_ask_at_once"),
    ),
    WrongAnswer(
        step="accuracies",
        why="the task need not be right: this is CL2",
        code="""
def accuracies(learner, tasks):
    scores = []
    for task in tasks:
        _, label = choose_lowest(ask_at_once(learner, task.transform(task.test.x)))
        scores.append(100 * (label == task.test.y).double().mean().item())
    return scores
""",
        loses=("check_accuracies", "test_accuracies"),
    ),
    WrongAnswer(
        step="accuracies",
        why="counts the tasks that were found, whatever the class",
        code="""
def accuracies(learner, tasks):
    scores = []
    for t, task in enumerate(tasks):
        which, _ = choose_lowest(ask_at_once(learner, task.transform(task.test.x)))
        scores.append(100 * (which == t).double().mean().item())
    return scores
""",
        loses=("test_accuracies",),
    ),
    WrongAnswer(
        step="accuracies",
        why="looks at the training images",
        code="""
def accuracies(learner, tasks):
    scores = []
    for t, task in enumerate(tasks):
        which, label = choose_lowest(ask_at_once(learner, task.transform(task.train.x)))
        right = (which == t) & (label == task.train.y)
        scores.append(100 * right.double().mean().item())
    return scores
""",
        loses=("check_accuracies", "test_accuracies"),
    ),
    WrongAnswer(
        step="accuracies",
        why="a share, not percent",
        code="""
def accuracies(learner, tasks):
    scores = []
    for t, task in enumerate(tasks):
        which, label = choose_lowest(ask_at_once(learner, task.transform(task.test.x)))
        right = (which == t) & (label == task.test.y)
        scores.append(right.double().mean().item())
    return scores
""",
        loses=("check_accuracies", "test_accuracies"),
    ),
    WrongAnswer(
        step="accuracies",
        why="offset on one side only",
        code="""
def accuracies(learner, tasks):
    scores = []
    for task in tasks:
        which, label = choose_lowest(ask_at_once(learner, task.transform(task.test.x)))
        starts = torch.tensor([t.head.start for t in tasks])
        right = starts[which] + label == task.test.y
        scores.append(100 * right.double().mean().item())
    return scores
""",
        loses=("check_accuracies", "test_accuracies"),
    ),
    WrongAnswer(
        step="calibration_error",
        why="all groups count alike",
        code="""
def calibration_error(outputs, y, groups=10):
    confidence, label = outputs.softmax(dim=-1).max(dim=-1)
    group = (confidence * groups).ceil()
    errors = []
    for g in group.unique():
        inside = group == g
        accuracy = (label == y)[inside].double().mean()
        errors.append((accuracy - confidence[inside].mean()).abs().item())
    return sum(errors) / len(errors)
""",
        loses=("test_calibration_error",),
    ),
    WrongAnswer(
        step="calibration_error",
        why="too sure and not sure enough cancel",
        code="""
def calibration_error(outputs, y, groups=10):
    confidence, label = outputs.softmax(dim=-1).max(dim=-1)
    return ((label == y).double().mean() - confidence.double().mean()).abs().item()
""",
        loses=("test_calibration_error",),
    ),
    WrongAnswer(
        step="calibration_error",
        why="always ten groups",
        code="""
def calibration_error(outputs, y, groups=10):
    confidence, label = outputs.softmax(dim=-1).max(dim=-1)
    group = (confidence * 10).ceil()
    error = 0.0
    for g in group.unique():
        inside = group == g
        distance = (label == y)[inside].double().mean() - confidence[inside].mean()
        error += (inside.double().mean() * distance.abs()).item()
    return error
""",
        loses=("test_calibration_error",),
    ),
    WrongAnswer(
        step="calibration_error",
        why="the probability of the true class in place of the predicted one",
        code="""
def calibration_error(outputs, y, groups=10):
    p, label = outputs.softmax(dim=-1), outputs.argmax(dim=-1)
    confidence = p.gather(1, y[:, None])[:, 0]
    group = (confidence * groups).ceil()
    error = 0.0
    for g in group.unique():
        inside = group == g
        distance = (label == y)[inside].double().mean() - confidence[inside].mean()
        error += (inside.double().mean() * distance.abs()).item()
    return error
""",
        loses=("check_calibration_error", "test_calibration_error"),
    ),
    WrongAnswer(
        step="best_temperature",
        why="multiplies the outputs",
        code="""
def best_temperature(outputs, y):
    grid = torch.logspace(-2, 2, 1000).tolist()
    return min(grid, key=lambda tau: F.cross_entropy(outputs * tau, y).item())
""",
        loses=("check_best_temperature", "test_best_temperature"),
    ),
    WrongAnswer(
        step="best_temperature",
        why="a grid that is too short",
        code="""
def best_temperature(outputs, y):
    grid = torch.linspace(0.3, 5, 1000).tolist()
    return min(grid, key=lambda tau: F.cross_entropy(outputs / tau, y).item())
""",
        loses=("test_best_temperature",),
    ),
    WrongAnswer(
        step="best_temperature",
        why="a grid that is too coarse",
        code="""
def best_temperature(outputs, y):
    grid = [k / 2 for k in range(1, 101)] + [1 / k for k in range(3, 50)]
    return min(grid, key=lambda tau: F.cross_entropy(outputs / tau, y).item())
""",
        loses=("test_best_temperature",),
    ),
    WrongAnswer(
        step="best_temperature",
        why="the least entropy instead of the least cross-entropy",
        code="""
def best_temperature(outputs, y):
    grid = torch.logspace(-2, 2, 1000).tolist()
    return min(grid, key=lambda tau: predictive_entropy(outputs / tau).mean().item())
""",
        loses=("check_best_temperature", "test_best_temperature"),
    ),
]
