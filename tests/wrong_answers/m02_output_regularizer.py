"""Mistakes in the assignment on the output regularizer."""

from wrong_answers import WrongAnswer

WRONG = [
    WrongAnswer(
        step="remember",
        why="keeps the graph",
        code="""
def remember(hnet):
    return hnet(torch.stack(list(hnet.task_embeddings)))
""",
        loses=("check_remember", "test_remember"),
    ),
    WrongAnswer(
        step="remember",
        why="the last task only",
        code="""
def remember(hnet):
    with torch.no_grad():
        return hnet(hnet.task_embeddings[-1][None])
""",
        loses=("check_remember", "test_remember"),
    ),
    WrongAnswer(
        step="remember",
        why="tasks in the reverse order",
        code="""
def remember(hnet):
    with torch.no_grad():
        return hnet(torch.stack(list(hnet.task_embeddings)[::-1]))
""",
        loses=("check_remember", "test_remember"),
    ),
    WrongAnswer(
        step="penalty",
        why="a mean over the weights",
        code="""
def penalty(hnet, theta, targets, beta):
    old = torch.stack(list(hnet.task_embeddings)[: len(targets)])
    return beta * F.mse_loss(generate(hnet, theta, old), targets)
""",
        loses=("check_penalty", "test_penalty"),
    ),
    WrongAnswer(
        step="penalty",
        why="a sum over the tasks, not divided by their number",
        code="""
def penalty(hnet, theta, targets, beta):
    old = torch.stack(list(hnet.task_embeddings)[: len(targets)])
    return beta * (targets - generate(hnet, theta, old)).square().sum()
""",
        loses=("check_penalty", "test_penalty"),
    ),
    WrongAnswer(
        step="penalty",
        why="divides by the number of all tasks, the new one included",
        code="""
def penalty(hnet, theta, targets, beta):
    old = torch.stack(list(hnet.task_embeddings)[: len(targets)])
    return beta / hnet.num_tasks * (targets - generate(hnet, theta, old)).square().sum()
""",
        loses=("check_penalty", "test_penalty"),
    ),
    WrongAnswer(
        step="penalty",
        why="where the hypernetwork is now, instead of at theta",
        code="""
def penalty(hnet, theta, targets, beta):
    old = torch.stack(list(hnet.task_embeddings)[: len(targets)])
    return beta / len(targets) * (targets - hnet(old)).square().sum()
""",
        loses=("test_penalty",),
    ),
    WrongAnswer(
        step="penalty",
        why="a norm that is not squared",
        code="""
def penalty(hnet, theta, targets, beta):
    old = torch.stack(list(hnet.task_embeddings)[: len(targets)])
    return beta / len(targets) * (targets - generate(hnet, theta, old)).norm(dim=1).sum()
""",
        loses=("check_penalty", "test_penalty"),
    ),
    WrongAnswer(
        step="penalty",
        why="right value, no gradient",
        code="""
def penalty(hnet, theta, targets, beta):
    old = torch.stack(list(hnet.task_embeddings)[: len(targets)])
    with torch.no_grad():
        now = generate(hnet, theta, old)
    return beta / len(targets) * (targets - now).square().sum()
""",
        loses=("test_penalty",),
    ),
    WrongAnswer(
        step="gradient_by_hand",
        why="forgets the 2",
        code="""
def gradient_by_hand(W, b, E, targets, beta):
    drift = E @ W.T + b - targets
    return beta / len(targets) * drift.T @ E, beta / len(targets) * drift.sum(0)
""",
        loses=("check_gradient_by_hand", "test_gradient_by_hand"),
    ),
    WrongAnswer(
        step="gradient_by_hand",
        why="does not divide by the number of tasks",
        code="""
def gradient_by_hand(W, b, E, targets, beta):
    drift = E @ W.T + b - targets
    return 2 * beta * drift.T @ E, 2 * beta * drift.sum(0)
""",
        loses=("check_gradient_by_hand", "test_gradient_by_hand"),
    ),
    WrongAnswer(
        step="gradient_by_hand",
        why="transposed",
        code="""
def gradient_by_hand(W, b, E, targets, beta):
    drift = 2 * beta / len(targets) * (E @ W.T + b - targets)
    return E.T @ drift, drift.sum(0)
""",
        loses=("check_gradient_by_hand", "test_gradient_by_hand"),
    ),
    WrongAnswer(
        step="gradient_by_hand",
        why="forgets b in the drift",
        code="""
def gradient_by_hand(W, b, E, targets, beta):
    drift = 2 * beta / len(targets) * (E @ W.T - targets)
    return drift.T @ E, drift.sum(0)
""",
        loses=("test_gradient_by_hand",),
    ),
    WrongAnswer(
        step="gradient_by_hand",
        why="forgets the targets, which are zero in the example",
        code="""
def gradient_by_hand(W, b, E, targets, beta):
    drift = 2 * beta / len(targets) * (E @ W.T + b)
    return drift.T @ E, drift.sum(0)
""",
        loses=("test_gradient_by_hand",),
    ),
    WrongAnswer(
        step="adam_step",
        why="no correction of the averages",
        code="""
def adam_step(g, m, v, i, rate):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return -rate * m / (v.sqrt() + 1e-8)
""",
        loses=("check_adam_step", "test_adam_step"),
    ),
    WrongAnswer(
        step="adam_step",
        why="corrects as if it were always the first step",
        code="""
def adam_step(g, m, v, i, rate):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return -rate * (m / 0.1) / ((v / 0.001).sqrt() + 1e-8)
""",
        loses=("test_adam_step",),
    ),
    WrongAnswer(
        step="adam_step",
        why="changes the averages",
        code="""
def adam_step(g, m, v, i, rate):
    m.mul_(0.9).add_(0.1 * g)
    v.mul_(0.999).add_(0.001 * g**2)
    return -rate * m / (1 - 0.9**i) / ((v / (1 - 0.999**i)).sqrt() + 1e-8)
""",
        loses=("check_adam_step", "test_adam_step"),
    ),
    WrongAnswer(
        step="adam_step",
        why="uphill",
        code="""
def adam_step(g, m, v, i, rate):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return rate * m / (1 - 0.9**i) / ((v / (1 - 0.999**i)).sqrt() + 1e-8)
""",
        loses=("check_adam_step", "test_adam_step"),
    ),
    WrongAnswer(
        step="adam_step",
        why="the small number under the root",
        code="""
def adam_step(g, m, v, i, rate):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return -rate * m / (1 - 0.9**i) / (v / (1 - 0.999**i) + 1e-8).sqrt()
""",
        loses=("test_adam_step",),
    ),
    WrongAnswer(
        step="adam_step",
        why="forgets the averages: every step a first one",
        code="""
def adam_step(g, m, v, i, rate):
    return -rate * g / (g.abs() + 1e-8)
""",
        loses=("test_adam_step",),
    ),
    WrongAnswer(
        step="look_ahead",
        why="takes the step",
        code="""
def look_ahead(theta, optimizer, rate):
    optimizer.step()
    return dict(theta)
""",
        loses=("check_look_ahead", "test_look_ahead"),
    ),
    WrongAnswer(
        step="look_ahead",
        why="returns Δ alone",
        code="""
def look_ahead(theta, optimizer, rate):
    return {n: adam_step(p.grad, 0 * p, 0 * p, 1, rate) for n, p in theta.items()}
""",
        loses=("check_look_ahead", "test_look_ahead"),
    ),
    WrongAnswer(
        step="look_ahead",
        why="constants that no gradient passes",
        code="""
def look_ahead(theta, optimizer, rate):
    ahead = {}
    for n, p in theta.items():
        state = optimizer.state.get(p) or {}
        m, v = (state.get(k, torch.zeros_like(p)) for k in ("exp_avg", "exp_avg_sq"))
        i = int(state.get("step", 0)) + 1
        ahead[n] = (p + adam_step(p.grad, m, v, i, rate)).detach().requires_grad_()
    return ahead
""",
        loses=("check_look_ahead", "test_look_ahead"),
    ),
    WrongAnswer(
        step="look_ahead",
        why="always a first step",
        code="""
def look_ahead(theta, optimizer, rate):
    zeros = {n: torch.zeros_like(p) for n, p in theta.items()}
    return {
        n: p + adam_step(p.grad, zeros[n], zeros[n], 1, rate) for n, p in theta.items()
    }
""",
        loses=("test_look_ahead",),
    ),
    WrongAnswer(
        step="look_ahead",
        why="the sign of the gradient, which fits the example",
        code="""
def look_ahead(theta, optimizer, rate):
    return {n: p - rate * p.grad.sign() for n, p in theta.items()}
""",
        loses=("test_look_ahead",),
    ),
    WrongAnswer(
        step="learn",
        why="no lookahead",
        code="""
def learn(hnet, target, task, training, beta):
    targets = remember(hnet) if hnet.num_tasks else None
    e = hnet.embedding(hnet.add_task())
    theta, rate = hnet.theta(), training.learning_rate
    for_theta, for_e = optim.Adam(theta.values(), rate), optim.Adam([e], rate)
    for x, y in islice(minibatches(task, training), training.iterations):
        hnet.zero_grad()
        task.loss(target(hnet(e), x), y).backward()
        if targets is not None:
            penalty(hnet, theta, targets, beta).backward()
        for_theta.step()
        for_e.step()
""",
        loses=("test_learn",),
    ),
    WrongAnswer(
        step="learn",
        why="targets taken anew in every step",
        code="""
def learn(hnet, target, task, training, beta):
    old = hnet.num_tasks
    e = hnet.embedding(hnet.add_task())
    theta, rate = hnet.theta(), training.learning_rate
    for_theta, for_e = optim.Adam(theta.values(), rate), optim.Adam([e], rate)
    for x, y in islice(minibatches(task, training), training.iterations):
        hnet.zero_grad()
        task.loss(target(hnet(e), x), y).backward()
        if old:
            penalty(hnet, theta, remember(hnet)[:old], beta).backward()
        for_theta.step()
        for_e.step()
""",
        loses=("check_learn", "test_learn"),
    ),
    WrongAnswer(
        step="learn",
        why="lets the embeddings of all tasks move",
        code="""
def learn(hnet, target, task, training, beta):
    targets = remember(hnet) if hnet.num_tasks else None
    e = hnet.embedding(hnet.add_task())
    theta, rate = hnet.theta(), training.learning_rate
    for_theta = optim.Adam(theta.values(), rate)
    for_e = optim.Adam(hnet.task_embeddings, rate)
    for x, y in islice(minibatches(task, training), training.iterations):
        hnet.zero_grad()
        task.loss(target(hnet(e), x), y).backward()
        if targets is not None:
            old = torch.stack(list(hnet.task_embeddings)[: len(targets)])
            drift = generate(hnet, look_ahead(theta, for_theta, rate), old) - targets
            (beta / len(targets) * drift.square().sum()).backward()
        for_theta.step()
        for_e.step()
""",
        loses=("check_learn", "test_learn"),
    ),
    WrongAnswer(
        step="learn",
        why="the penalty's gradient comes first, and the lookahead sees it",
        code="""
def learn(hnet, target, task, training, beta):
    targets = remember(hnet) if hnet.num_tasks else None
    e = hnet.embedding(hnet.add_task())
    theta, rate = hnet.theta(), training.learning_rate
    for_theta, for_e = optim.Adam(theta.values(), rate), optim.Adam([e], rate)
    for x, y in islice(minibatches(task, training), training.iterations):
        hnet.zero_grad()
        task.loss(target(hnet(e), x), y).backward()
        if targets is not None:
            penalty(hnet, theta, targets, beta).backward()
            ahead = look_ahead(theta, for_theta, rate)
            penalty(hnet, ahead, targets, beta).backward()
        for_theta.step()
        for_e.step()
""",
        loses=("test_learn",),
    ),
    WrongAnswer(
        step="forgetting",
        why="the last task counts as well",
        code="""
def forgetting(errors):
    return (errors[-1] - errors.diagonal()).mean().item()
""",
        loses=("check_forgetting", "test_forgetting"),
    ),
    WrongAnswer(
        step="forgetting",
        why="the other sign",
        code="""
def forgetting(errors):
    if len(errors) == 1:
        return 0.0
    return (errors.diagonal() - errors[-1])[:-1].mean().item()
""",
        loses=("check_forgetting", "test_forgetting"),
    ),
    WrongAnswer(
        step="forgetting",
        why="not a number for a single task",
        code="""
def forgetting(errors):
    return (errors[-1] - errors.diagonal())[:-1].mean().item()
""",
        loses=("test_forgetting",),
    ),
    WrongAnswer(
        step="forgetting",
        why="compares with the largest error there ever was",
        code="""
def forgetting(errors):
    if len(errors) == 1:
        return 0.0
    worst = errors.nan_to_num(0).amax(dim=0)
    return (worst - errors.diagonal())[:-1].mean().item()
""",
        loses=("check_forgetting", "test_forgetting"),
    ),
]
