"""Questions at the end of a chapter: answered and explained on the page, with no kernel."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython.display import Markdown

from hnetlib.errors import QuizError
from hnetlib.widgets.script import script

Question = dict[str, Any]


class Quiz(anywidget.AnyWidget):
    """A few questions with their explanations; nothing is sent anywhere, and nothing is kept.

    Args:
        questions: in the format of the package jupyterquiz. Each has `question`, `type` and `answers`. The answers of
            a `multiple_choice` (one is right) or `many_choice` (two or more are) have `answer`, `correct` and
            `feedback`. Those of a `numeric` have `value`, or a `range` from its first number to just below its
            second, with `correct` and `feedback`; the last has type `default` and is for any other number.

    Raises:
        QuizError: a question lacks something, or its right answers are too few or too many.
    """

    _esm = script("dom.js", "quiz.js")
    questions: traitlets.List = traitlets.List().tag(sync=True)

    def __init__(self, questions: Sequence[Question]):
        for number, question in enumerate(questions, start=1):
            if problem := problem_of(question):
                raise QuizError(f"Question {number} {problem}.")
        super().__init__(questions=list(questions))

    @classmethod
    def read(cls, path: str | Path) -> "Quiz":
        """The quiz of a file; chapters give it relative to their own folder.

        Raises:
            QuizError: there is no such file, or it is no quiz.
        """
        try:
            return cls(json.loads(Path(path).read_text(encoding="utf-8")))
        except OSError:
            raise QuizError(f"There is no quiz {path}: run the notebook in the folder it lies in.") from None
        except (json.JSONDecodeError, QuizError) as error:
            raise QuizError(f"{path}: {error}") from None

    def still(self) -> Markdown:
        """Questions and answers as text, for paper and for readers without JavaScript."""
        blocks = [
            "\n".join([f"**{number}.** {question['question']}", *printed(question)])
            for number, question in enumerate(self.questions, start=1)
        ]
        return Markdown("\n\n".join(blocks))


def printed(question: Question) -> list[str]:
    """The answers that a question offers, and below them what is right and why."""
    right = [answer for answer in question["answers"] if answer.get("correct")]
    if question["type"] == "numeric":
        first = right[0]
        number = f"{first['value']:,}" if "value" in first else f"{sum(first['range']) / 2:.4g}"
        return ["", f"> Right: {number}. {first['feedback']}"]
    reasons = " ".join(answer["feedback"] for answer in right)
    lettered = list(zip("abcdef", question["answers"], strict=False))
    offered = [f"- ({letter}) {answer['answer']}" for letter, answer in lettered]
    letters = ", ".join(letter for letter, answer in lettered if answer in right)
    return ["", *offered, "", f"> Right: {letters}. {reasons}"]


def problem_of(question: Question) -> str | None:
    """What is wrong with a question, as the end of a sentence; None: nothing."""
    answers, kind = question.get("answers") or [], question.get("type")
    if not question.get("question") or not answers:
        return "has no text or no answers"
    if not all(answer.get("feedback") for answer in answers):
        return "has an answer without feedback"
    right = sum(bool(answer.get("correct")) for answer in answers)
    if kind == "numeric":
        return numeric_problem(answers, right)
    if kind not in ("multiple_choice", "many_choice"):
        return f"has the unknown type {kind!r}"
    if len(answers) > 6 or not all(answer.get("answer") and "correct" in answer for answer in answers):
        return "needs at most six answers, each with a text and with `correct`"
    if (right == 1) != (kind == "multiple_choice") or not 0 < right < len(answers):
        return f"is of type {kind} and has {right} right answers of {len(answers)}"
    return None


def numeric_problem(answers: Sequence[dict[str, Any]], right: int) -> str | None:
    """The same for a question whose answer is a number."""
    *known, default = answers
    if default.get("type") != "default" or default.get("correct"):
        return "needs a last answer of type default, for all other numbers"
    if not right or not all(("value" in answer) != ("range" in answer) for answer in known):
        return "needs a right answer, and in each but the last either a value or a range"
    return None
