"""Every quiz is well formed, and belongs to a chapter; a file that is not is refused with a sentence."""

import json
import re
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hnetlib.errors import QuizError
from hnetlib.widgets import Quiz

BOOK = Path(__file__).parents[1] / "book"
FILES = sorted((BOOK / "quizzes").glob("*.json"))
by_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)

CHOICE: dict[str, Any] = {
    "question": "Which?",
    "type": "multiple_choice",
    "answers": [
        {"answer": "this", "correct": True, "feedback": "Yes."},
        {"answer": "that", "correct": False, "feedback": "No, since `that` is *not* it."},
    ],
}
NUMBER: dict[str, Any] = {
    "question": "How many?",
    "type": "numeric",
    "answers": [
        {"value": 1200, "correct": True, "feedback": "Yes."},
        {"range": [1, 2], "correct": False, "feedback": "Too few."},
        {"type": "default", "feedback": "Count again."},
    ],
}


@by_file
def test_a_quiz_has_three_or_four_questions_of_at_least_two_kinds(path: Path) -> None:
    questions = Quiz.read(path).questions
    assert 3 <= len(questions) <= 4
    assert len({question["type"] for question in questions}) >= 2


@by_file
def test_every_feedback_and_every_answer_is_said_once(path: Path) -> None:
    for question in Quiz.read(path).questions:
        for key in ("answer", "value", "feedback"):
            said = [str(answer[key]) for answer in question["answers"] if key in answer]
            assert len(said) == len(set(said)), f"{question['question']}: {said}"


@by_file
def test_no_foreseen_wrong_number_is_taken_for_the_right_one(path: Path) -> None:
    for question in Quiz.read(path).questions:
        known = [answer for answer in question["answers"] if "correct" in answer]
        spans = [answer.get("range") or [answer.get("value")] * 2 for answer in known]
        if question["type"] == "numeric":
            ordered = sorted(spans)
            assert all(low[1] <= high[0] for low, high in pairwise(ordered)), ordered


@by_file
def test_markup_is_code_and_emphasis_only(path: Path) -> None:
    text = json.dumps(Quiz.read(path).questions, ensure_ascii=False)
    assert not re.search(r"\$|\\\\|<[a-z]|\{[a-z]+\}|\*\*", text), "formulas and HTML are not rendered in a quiz"


def test_the_right_answer_is_not_always_in_the_same_place() -> None:
    places = [
        [answer["correct"] for answer in question["answers"]].index(True)
        for path in FILES
        for question in Quiz.read(path).questions
        if question["type"] == "multiple_choice"
    ]
    assert max(map(places.count, range(6))) <= 0.6 * len(places)


def test_paper_gets_the_questions_and_the_answers() -> None:
    text = Quiz([CHOICE, NUMBER]).still().data
    assert "**1.** Which?\n\n- (a) this\n- (b) that\n\n> Right: a. Yes." in text
    assert "**2.** How many?\n\n> Right: 1,200. Yes." in text


def spoiled(whole: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return deepcopy(whole) | changes


BAD = {
    "no text or no answers": spoiled(CHOICE, question=""),
    "no text or": spoiled(CHOICE, answers=[]),
    "unknown type": spoiled(CHOICE, type="essay"),
    "without feedback": spoiled(CHOICE, answers=[*CHOICE["answers"], {"answer": "x", "correct": False}]),
    "2 right answers": spoiled(CHOICE, answers=[CHOICE["answers"][0]] * 2),
    "0 right answers": spoiled(CHOICE, answers=[CHOICE["answers"][1]] * 2),
    "1 right answers": spoiled(CHOICE, type="many_choice"),
    "of type default": spoiled(NUMBER, answers=NUMBER["answers"][:2]),
    "a right answer": spoiled(NUMBER, answers=NUMBER["answers"][1:]),
    "a value or a range": spoiled(NUMBER, answers=[CHOICE["answers"][0], NUMBER["answers"][2]]),
}


@pytest.mark.parametrize("said", BAD)
def test_a_question_that_is_not_whole_is_refused(said: str) -> None:
    with pytest.raises(QuizError, match=f"Question 2 .*{said}"):
        Quiz([CHOICE, BAD[said]])


def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuizError, match=r"no quiz .*gone\.json"):
        Quiz.read(tmp_path / "gone.json")
    broken = tmp_path / "broken.json"
    for content in ("[{", json.dumps([BAD["unknown type"]])):
        broken.write_text(content, encoding="utf-8")
        with pytest.raises(QuizError, match=r"broken\.json: "):
            Quiz.read(broken)
