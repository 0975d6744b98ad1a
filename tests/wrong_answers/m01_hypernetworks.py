"""Mistakes in the first assignment."""

from wrong_answers import WrongAnswer

WRONG = [
    WrongAnswer(
        step="count_weights",
        why="forgets the biases",
        code="""
def count_weights(sizes):
    return sum(a * b for a, b in zip(sizes[:-1], sizes[1:]))
""",
        loses=("check_count_weights", "test_count_weights"),
    ),
]
