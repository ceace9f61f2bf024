"""What can go wrong at a source, told to the person who must act.

Messages are Chinese: what happened, where, what to do. They carry no secret, no value of a
query parameter that is not a page or a window, and no body of an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from warehouse.errors import ConfigurationError, SourceFault


class SourceError(SourceFault):
    """Anything that keeps a source's records from being loaded."""


class SourceUnavailable(SourceError):
    """The system did not answer, or answered with errors, after every retry."""


class Passing(Exception):
    """A failure that may pass: why, how long the system asks to wait, how often to try again."""

    def __init__(self, reason: str, wait: float | None = None, most: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.most = most


class SourceDenied(SourceUnavailable):
    """The system refused the credentials."""


class SourceContractError(SourceError):
    """The system answered, but not as the source file says it does."""


class RefusedRequest(SourceContractError):
    """The system refused the request as it was written (HTTP 4xx)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnreadableAnswer(SourceContractError):
    """The answer is not in the declared format, time after time."""


class RejectLimitExceeded(SourceContractError):
    """Too large a share of the records could not be typed; nothing was written."""


@dataclass(frozen=True)
class Problem:
    """One mistake in a source file: where it is, and what would be right."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.key}: {self.message}"


class SourceFileError(ConfigurationError):
    """A source file that cannot be used; `problems` names each mistake."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("来源文件有误:\n" + "\n".join(f"  {problem}" for problem in problems))
