"""What can go wrong, each by its own name, so that a caller can catch exactly that."""


class HnetError(Exception):
    """Base of every error that hnetlib raises on purpose."""


class SizeError(HnetError, ValueError):
    """A tensor, an embedding or a network has another size than its partner needs."""


class UnknownTaskError(HnetError, LookupError):
    """A task was named that has not been learned (or not been added) yet."""


class DivergedError(HnetError, ArithmeticError):
    """The loss became NaN or infinite."""


class RecordingError(HnetError, RuntimeError):
    """A training step cannot be recorded as a CUDA graph."""


class DataError(HnetError, RuntimeError):
    """A data set is missing, half there, corrupt, or cannot be downloaded."""


class UnknownDatasetError(DataError, ValueError):
    """No data set has this name."""


class CheckpointError(HnetError, RuntimeError):
    """A checkpoint is damaged, or belongs to another run."""


class OutOfTime(HnetError, TimeoutError):
    """The time given to a run is over; its checkpoint has what was done."""


class ConfigError(HnetError, ValueError):
    """A setting of an experiment does not exist, or cannot have this value."""


class UnknownExperimentError(HnetError, LookupError):
    """No experiment has this name."""


class RecordError(HnetError, ValueError):
    """A record is damaged, or not a record."""


class QuizError(HnetError, ValueError):
    """A question of a quiz is incomplete or contradicts itself, or its file is missing."""


def learned(task: int | None, num_tasks: int, who: str) -> int:
    """The task, if `who` has learned it.

    Raises:
        UnknownTaskError: no task was given, or one that was never learned.
    """
    if task is None:
        raise UnknownTaskError("Which task do these inputs belong to? Give `task`, an index from 0.")
    if not 0 <= task < num_tasks:
        known = f"tasks 0 to {num_tasks - 1}" if num_tasks else "no task yet"
        raise UnknownTaskError(f"Task {task} was never learned; this {who} knows {known}.")
    return task
