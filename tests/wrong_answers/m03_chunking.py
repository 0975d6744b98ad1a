"""Mistakes in the assignment on chunking."""

from wrong_answers import WrongAnswer

WRONG = [
    WrongAnswer(
        step="chunked_size",
        why="rounds the number of chunks down",
        code="""
def chunked_size(n, s, task_dim, chunk_dim, hidden, tasks):
    sizes = [task_dim + chunk_dim, *hidden, s]
    own = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    return own + n // s * chunk_dim + tasks * task_dim
""",
        loses=("check_chunked_size", "test_chunked_size"),
    ),
    WrongAnswer(
        step="chunked_size",
        why="the last layer makes all weights",
        code="""
def chunked_size(n, s, task_dim, chunk_dim, hidden, tasks):
    sizes = [task_dim + chunk_dim, *hidden, n]
    own = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    return own + ceil(n / s) * chunk_dim + tasks * task_dim
""",
        loses=("check_chunked_size", "test_chunked_size"),
    ),
    WrongAnswer(
        step="chunked_size",
        why="forgets the chunk embeddings",
        code="""
def chunked_size(n, s, task_dim, chunk_dim, hidden, tasks):
    sizes = [task_dim + chunk_dim, *hidden, s]
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes)) + tasks * task_dim
""",
        loses=("check_chunked_size", "test_chunked_size"),
    ),
    WrongAnswer(
        step="chunked_size",
        why="one chunk too many where they come out even",
        code="""
def chunked_size(n, s, task_dim, chunk_dim, hidden, tasks):
    sizes = [task_dim + chunk_dim, *hidden, s]
    own = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    return own + (n // s + 1) * chunk_dim + tasks * task_dim
""",
        loses=("test_chunked_size",),
    ),
    WrongAnswer(
        step="Chunked",
        why="chunk embeddings that PyTorch does not know of",
        code="""
class Chunked(nn.Module):
    def __init__(self, network, n, s, chunk_dim):
        super().__init__()
        self.network, self.n = network, n
        self.chunk_embeddings = torch.randn(ceil(n / s), chunk_dim)

    def forward(self, e):
        chunks = [self.network(torch.cat([e, c])) for c in self.chunk_embeddings]
        return torch.cat(chunks)[: self.n]
""",
        loses=("check_Chunked", "test_Chunked"),
    ),
    WrongAnswer(
        step="Chunked",
        why="the chunk embedding first",
        code="""
class Chunked(nn.Module):
    def __init__(self, network, n, s, chunk_dim):
        super().__init__()
        self.network, self.n = network, n
        self.chunk_embeddings = nn.Parameter(torch.randn(ceil(n / s), chunk_dim))

    def forward(self, e):
        chunks = [self.network(torch.cat([c, e])) for c in self.chunk_embeddings]
        return torch.cat(chunks)[: self.n]
""",
        loses=("check_Chunked", "test_Chunked"),
    ),
    WrongAnswer(
        step="Chunked",
        why="does not cut the last chunk",
        code="""
class Chunked(nn.Module):
    def __init__(self, network, n, s, chunk_dim):
        super().__init__()
        self.network, self.n = network, n
        self.chunk_embeddings = nn.Parameter(torch.randn(ceil(n / s), chunk_dim))

    def forward(self, e):
        return torch.cat([self.network(torch.cat([e, c])) for c in self.chunk_embeddings])
""",
        loses=("check_Chunked", "test_Chunked"),
    ),
    WrongAnswer(
        step="Chunked",
        why="chunks interleaved",
        code="""
class Chunked(nn.Module):
    def __init__(self, network, n, s, chunk_dim):
        super().__init__()
        self.network, self.n = network, n
        self.chunk_embeddings = nn.Parameter(torch.randn(ceil(n / s), chunk_dim))

    def forward(self, e):
        chunks = [self.network(torch.cat([e, c])) for c in self.chunk_embeddings]
        return torch.stack(chunks, dim=1).flatten()[: self.n]
""",
        loses=("check_Chunked", "test_Chunked"),
    ),
    WrongAnswer(
        step="Chunked",
        why="chunk embeddings that start alike",
        code="""
class Chunked(nn.Module):
    def __init__(self, network, n, s, chunk_dim):
        super().__init__()
        self.network, self.n = network, n
        self.chunk_embeddings = nn.Parameter(torch.zeros(ceil(n / s), chunk_dim))

    def forward(self, e):
        chunks = [self.network(torch.cat([e, c])) for c in self.chunk_embeddings]
        return torch.cat(chunks)[: self.n]
""",
        loses=("test_Chunked",),
    ),
    WrongAnswer(
        step="generate_all",
        why="a loop over the tasks",
        code="""
def generate_all(network, E, C, n):
    rows = [network(torch.cat([e.expand(len(C), -1), C], dim=1)) for e in E]
    return torch.stack(rows).flatten(1)[:, :n]
""",
        loses=("check_generate_all", "test_generate_all"),
    ),
    WrongAnswer(
        step="generate_all",
        why="the wrong pairs",
        code="""
def generate_all(network, E, C, n):
    pairs = torch.cat([E.repeat(len(C), 1), C.repeat_interleave(len(E), 0)], dim=1)
    return network(pairs).view(len(E), -1)[:, :n]
""",
        loses=("check_generate_all", "test_generate_all"),
    ),
    WrongAnswer(
        step="generate_all",
        why="each task with one chunk only",
        code="""
def generate_all(network, E, C, n):
    pairs = torch.cat([E, C[torch.arange(len(E)) % len(C)]], dim=1)
    return network(pairs).repeat(1, len(C))[:, :n]
""",
        loses=("check_generate_all", "test_generate_all"),
    ),
    WrongAnswer(
        step="generate_all",
        why="not cut",
        code="""
def generate_all(network, E, C, n):
    pairs = torch.cat([E.repeat_interleave(len(C), 0), C.repeat(len(E), 1)], dim=1)
    return network(pairs).view(len(E), -1)
""",
        loses=("check_generate_all", "test_generate_all"),
    ),
    WrongAnswer(
        step="first_layer",
        why="right, but multiplies every pair",
        code="""
def first_layer(layer, E, C):
    e = E[:, None].expand(-1, len(C), -1)
    c = C[None].expand(len(E), -1, -1)
    return layer(torch.cat([e, c], dim=-1))
""",
        loses=("test_first_layer",),
    ),
    WrongAnswer(
        step="first_layer",
        why="adds the bias twice",
        code="""
def first_layer(layer, E, C):
    for_task, for_chunk = layer.weight.split([E.shape[1], C.shape[1]], dim=1)
    b = layer.bias
    return F.linear(E, for_task, b)[:, None] + F.linear(C, for_chunk, b)
""",
        loses=("check_first_layer", "test_first_layer"),
    ),
    WrongAnswer(
        step="first_layer",
        why="cuts the matrix the wrong way round",
        code="""
def first_layer(layer, E, C):
    for_chunk, for_task = layer.weight.split([C.shape[1], E.shape[1]], dim=1)
    return (E @ for_task.T)[:, None] + F.linear(C, for_chunk, layer.bias)
""",
        loses=("check_first_layer", "test_first_layer"),
    ),
    WrongAnswer(
        step="first_layer",
        why="chunks first, then tasks",
        code="""
def first_layer(layer, E, C):
    for_task, for_chunk = layer.weight.split([E.shape[1], C.shape[1]], dim=1)
    return (E @ for_task.T) + F.linear(C, for_chunk, layer.bias)[:, None]
""",
        loses=("check_first_layer", "test_first_layer"),
    ),
    WrongAnswer(
        step="makers",
        why="the last chunk is that of the first weight behind",
        code="""
def makers(sizes, s):
    found, start = {}, 0
    for name, size in sizes.items():
        found[name] = (start // s, (start + size) // s)
        start += size
    return found
""",
        loses=("check_makers", "test_makers"),
    ),
    WrongAnswer(
        step="makers",
        why="every tensor begins with chunk 0",
        code="""
def makers(sizes, s):
    return {name: (0, (size - 1) // s) for name, size in sizes.items()}
""",
        loses=("check_makers", "test_makers"),
    ),
    WrongAnswer(
        step="makers",
        why="every tensor begins with a new chunk",
        code="""
def makers(sizes, s):
    found, first = {}, 0
    for name, size in sizes.items():
        found[name] = (first, first + ceil(size / s) - 1)
        first += ceil(size / s)
    return found
""",
        loses=("test_makers",),
    ),
    WrongAnswer(
        step="best_chunk_size",
        why="the rule with the features, but without the bias",
        code="""
def best_chunk_size(n, task_dim, chunk_dim, hidden, tasks):
    return round(sqrt(n * chunk_dim / (hidden[-1] if hidden else task_dim)))
""",
        loses=("test_best_chunk_size",),
    ),
    WrongAnswer(
        step="best_chunk_size",
        why="the rule, and blind to how the chunks come out",
        code="""
def best_chunk_size(n, task_dim, chunk_dim, hidden, tasks):
    k = (hidden[-1] if hidden else task_dim + chunk_dim) + 1
    return round(sqrt(n * chunk_dim / k))
""",
        loses=("test_best_chunk_size",),
    ),
    WrongAnswer(
        step="best_chunk_size",
        why="all in one chunk",
        code="""
def best_chunk_size(n, task_dim, chunk_dim, hidden, tasks):
    return n
""",
        loses=("check_best_chunk_size", "test_best_chunk_size"),
    ),
    WrongAnswer(
        step="best_chunk_size",
        why="the rule upside down",
        code="""
def best_chunk_size(n, task_dim, chunk_dim, hidden, tasks):
    k = (hidden[-1] if hidden else task_dim + chunk_dim) + 1
    return round(sqrt(n * k / chunk_dim))
""",
        loses=("check_best_chunk_size", "test_best_chunk_size"),
    ),
    WrongAnswer(
        step="memorize",
        why="fills up in front",
        code="""
def memorize(weights, s):
    chunks = ceil(len(weights) / s)
    padded = F.pad(weights, (chunks * s - len(weights), 0))
    return torch.eye(chunks), padded.view(chunks, s).T
""",
        loses=("check_memorize", "test_memorize"),
    ),
    WrongAnswer(
        step="memorize",
        why="rows and columns confused",
        code="""
def memorize(weights, s):
    chunks = ceil(len(weights) / s)
    padded = F.pad(weights, (0, chunks * s - len(weights)))
    return torch.eye(chunks), padded.view(s, chunks)
""",
        loses=("check_memorize", "test_memorize"),
    ),
    WrongAnswer(
        step="memorize",
        why="chunks only where they come out even",
        code="""
def memorize(weights, s):
    return torch.eye(len(weights) // s), weights.view(-1, s).T
""",
        loses=("check_memorize", "test_memorize"),
    ),
    WrongAnswer(
        step="memorize",
        why="one chunk too many where they come out even",
        code="""
def memorize(weights, s):
    chunks = len(weights) // s + 1
    padded = F.pad(weights, (0, chunks * s - len(weights)))
    return torch.eye(chunks), padded.view(chunks, s).T
""",
        loses=("test_memorize",),
    ),
]
