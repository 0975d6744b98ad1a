"""Wrong answers that the assignments must not take for right: one module for each assignment, a list `WRONG` in it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WrongAnswer:
    """A plausible mistake. Everything before its step is solved rightly; only the cells of the step are looked at."""

    step: str  # grade_id of the solution cell that it takes the place of
    why: str  # what the student did, in a few words
    code: str  # the whole cell
    loses: tuple[str, ...]  # grade_ids of all the cells with points that must fail, and no others
