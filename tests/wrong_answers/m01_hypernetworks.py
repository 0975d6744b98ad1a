"""Mistakes in the assignment on hypernetworks."""

from wrong_answers import WrongAnswer

WRONG = [
    WrongAnswer(
        step="count_weights",
        why="forgets the biases",
        code="""
def count_weights(sizes):
    return sum(a * b for a, b in itertools.pairwise(sizes))
""",
        loses=("check_count_weights", "test_count_weights"),
    ),
    WrongAnswer(
        step="count_weights",
        why="returns the answer to the example only",
        code="""
def count_weights(sizes):
    return 141 if len(sizes) == 3 else 0
""",
        loses=("check_count_weights", "test_count_weights"),
    ),
    WrongAnswer(
        step="count_weights",
        why="a number that fits the example by chance",
        code="""
def count_weights(sizes):
    return 141
""",
        loses=("test_count_weights",),
    ),
    WrongAnswer(
        step="cut",
        why="every piece begins at the start",
        code="""
def cut(vector, shapes):
    if len(vector) != sum(s.numel() for s in shapes.values()):
        raise ValueError
    return {n: vector[: s.numel()].reshape(s) for n, s in shapes.items()}
""",
        loses=("check_cut", "test_cut"),
    ),
    WrongAnswer(
        step="cut",
        why="a matrix column by column",
        code="""
def cut(vector, shapes):
    sizes = [s.numel() for s in shapes.values()]
    if len(vector) != sum(sizes):
        raise ValueError
    pieces = zip(shapes.items(), vector.split(sizes))
    return {n: p.reshape(s[::-1]).T if len(s) == 2 else p for (n, s), p in pieces}
""",
        loses=("check_cut", "test_cut"),
    ),
    WrongAnswer(
        step="cut",
        why="does not look at the length",
        code="""
def cut(vector, shapes):
    pieces, start = {}, 0
    for name, shape in shapes.items():
        pieces[name] = vector[start : start + shape.numel()].reshape(shape)
        start += shape.numel()
    return pieces
""",
        loses=("check_cut", "test_cut"),
    ),
    WrongAnswer(
        step="cut",
        why="copies the numbers, so that no gradient flows",
        code="""
def cut(vector, shapes):
    sizes = [s.numel() for s in shapes.values()]
    if len(vector) != sum(sizes):
        raise ValueError
    pieces = vector.detach().clone().requires_grad_().split(sizes)
    return {n: p.reshape(s) for (n, s), p in zip(shapes.items(), pieces)}
""",
        loses=("test_cut",),
    ),
    WrongAnswer(
        step="target_network",
        why="a ReLU behind the last layer, too",
        code="""
def target_network(x, vector, sizes):
    for a, b in itertools.pairwise(sizes):
        matrix, bias, vector = vector.split([a * b, b, len(vector) - a * b - b])
        x = F.relu(F.linear(x, matrix.view(b, a), bias))
    return x
""",
        loses=("check_target_network", "test_target_network"),
    ),
    WrongAnswer(
        step="target_network",
        why="no nonlinearity at all",
        code="""
def target_network(x, vector, sizes):
    for a, b in itertools.pairwise(sizes):
        matrix, bias, vector = vector.split([a * b, b, len(vector) - a * b - b])
        x = F.linear(x, matrix.view(b, a), bias)
    return x
""",
        loses=("test_target_network",),
    ),
    WrongAnswer(
        step="target_network",
        why="the bias in front of the matrix",
        code="""
def target_network(x, vector, sizes):
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        bias, matrix, vector = vector.split([b, a * b, len(vector) - a * b - b])
        x = F.linear(F.relu(x) if i else x, matrix.view(b, a), bias)
    return x
""",
        loses=("check_target_network", "test_target_network"),
    ),
    WrongAnswer(
        step="target_network",
        why="the matrix with a row for each input",
        code="""
def target_network(x, vector, sizes):
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        matrix, bias, vector = vector.split([a * b, b, len(vector) - a * b - b])
        x = (F.relu(x) if i else x) @ matrix.view(a, b) + bias
    return x
""",
        loses=("check_target_network", "test_target_network"),
    ),
    WrongAnswer(
        step="target_network",
        why="a ReLU on the inputs",
        code="""
def target_network(x, vector, sizes):
    for a, b in itertools.pairwise(sizes):
        matrix, bias, vector = vector.split([a * b, b, len(vector) - a * b - b])
        x = F.linear(F.relu(x), matrix.view(b, a), bias)
    return x
""",
        loses=("test_target_network",),
    ),
    WrongAnswer(
        step="generate",
        why="no nonlinearity",
        code="""
def generate(e, theta):
    return (e @ theta["W1"].T + theta["b1"]) @ theta["W2"].T + theta["b2"]
""",
        loses=("check_generate", "test_generate"),
    ),
    WrongAnswer(
        step="generate",
        why="ReLU where ELU is asked for",
        code="""
def generate(e, theta):
    return F.relu(e @ theta["W1"].T + theta["b1"]) @ theta["W2"].T + theta["b2"]
""",
        loses=("check_generate", "test_generate"),
    ),
    WrongAnswer(
        step="generate",
        why="works for a single embedding only",
        code="""
def generate(e, theta):
    return theta["W2"] @ F.elu(theta["W1"] @ e + theta["b1"]) + theta["b2"]
""",
        loses=("check_generate", "test_generate"),
    ),
    WrongAnswer(
        step="generate",
        why="a nonlinearity behind the last layer, too",
        code="""
def generate(e, theta):
    features = F.elu(F.linear(e, theta["W1"], theta["b1"]))
    return F.elu(F.linear(features, theta["W2"], theta["b2"]))
""",
        loses=("check_generate", "test_generate"),
    ),
    WrongAnswer(
        step="generate",
        why="forgets the last bias",
        code="""
def generate(e, theta):
    return F.elu(F.linear(e, theta["W1"], theta["b1"])) @ theta["W2"].T
""",
        loses=("check_generate", "test_generate"),
    ),
    WrongAnswer(
        step="compression_ratio",
        why="leaves out the embeddings",
        code="""
def compression_ratio(num_weights, task_dim, hidden, num_tasks):
    return count_weights([task_dim, *hidden, num_weights]) / num_weights
""",
        loses=("check_compression_ratio", "test_compression_ratio"),
    ),
    WrongAnswer(
        step="compression_ratio",
        why="upside down",
        code="""
def compression_ratio(num_weights, task_dim, hidden, num_tasks):
    own = count_weights([task_dim, *hidden, num_weights])
    return num_weights / (own + num_tasks * task_dim)
""",
        loses=("check_compression_ratio", "test_compression_ratio"),
    ),
    WrongAnswer(
        step="compression_ratio",
        why="always three tasks",
        code="""
def compression_ratio(num_weights, task_dim, hidden, num_tasks):
    own = count_weights([task_dim, *hidden, num_weights])
    return (own + 3 * task_dim) / num_weights
""",
        loses=("test_compression_ratio",),
    ),
    WrongAnswer(
        step="train",
        why="never sets the gradient to zero",
        code="""
def train(theta, embeddings, x, answers, steps, rate):
    optimizer = torch.optim.Adam(theta.values(), rate)
    losses = []
    for _ in range(steps):
        rows = generate(embeddings, theta)
        loss = sum(F.mse_loss(target_network(x, w, SIZES), y) for w, y in zip(rows, answers))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
""",
        loses=("check_train", "test_train"),
    ),
    WrongAnswer(
        step="train",
        why="trains the embeddings as well",
        code="""
def train(theta, embeddings, x, answers, steps, rate):
    if not embeddings.requires_grad:
        kept, embeddings = embeddings, embeddings.clone().requires_grad_()
    optimizer = torch.optim.Adam([*theta.values(), embeddings], rate)
    losses = []
    for _ in range(steps):
        rows = generate(embeddings, theta)
        loss = sum(F.mse_loss(target_network(x, w, SIZES), y) for w, y in zip(rows, answers))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
""",
        loses=("test_train",),
    ),
    WrongAnswer(
        step="train",
        why="a mean over tasks where a sum is asked for",
        code="""
def train(theta, embeddings, x, answers, steps, rate):
    optimizer = torch.optim.Adam(theta.values(), rate)
    losses = []
    for _ in range(steps):
        rows = generate(embeddings, theta)
        loss = sum(F.mse_loss(target_network(x, w, SIZES), y) for w, y in zip(rows, answers))
        loss = loss / len(answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
""",
        loses=("test_train",),
    ),
    WrongAnswer(
        step="train",
        why="knows two tasks only, and the gradient stops at the weights",
        code="""
def train(theta, embeddings, x, answers, steps, rate):
    optimizer = torch.optim.Adam(theta.values(), rate)
    losses = []
    for _ in range(steps):
        rows = generate(embeddings, theta).detach().requires_grad_()
        loss = sum(F.mse_loss(target_network(x, rows[t], SIZES), answers[t]) for t in (0, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
""",
        loses=("check_train", "test_train"),
    ),
    WrongAnswer(
        step="search",
        why="moves the hypernetwork, too",
        code="""
def search(theta, start, x, y, steps, rate):
    e = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([e, *theta.values()], rate)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(target_network(x, generate(e, theta), SIZES), y).backward()
        optimizer.step()
    return e.detach()
""",
        loses=("check_search", "test_search"),
    ),
    WrongAnswer(
        step="search",
        why="leaves a gradient on the hypernetwork",
        code="""
def search(theta, start, x, y, steps, rate):
    e = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([e], rate)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(target_network(x, generate(e, theta), SIZES), y).backward()
        optimizer.step()
    return e.detach()
""",
        loses=("check_search", "test_search"),
    ),
    WrongAnswer(
        step="search",
        why="works on the starting point itself",
        code="""
def search(theta, start, x, y, steps, rate):
    fixed = {name: p.detach() for name, p in theta.items()}
    e = start.requires_grad_()
    optimizer = torch.optim.Adam([e], rate)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(target_network(x, generate(e, fixed), SIZES), y).backward()
        optimizer.step()
    return e.detach()
""",
        loses=("check_search", "test_search"),
    ),
    WrongAnswer(
        step="search",
        why="begins somewhere else",
        code="""
def search(theta, start, x, y, steps, rate):
    fixed = {name: p.detach() for name, p in theta.items()}
    e = torch.zeros_like(start).requires_grad_()
    optimizer = torch.optim.Adam([e], rate)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(target_network(x, generate(e, fixed), SIZES), y).backward()
        optimizer.step()
    return e.detach()
""",
        loses=("test_search",),
    ),
]
