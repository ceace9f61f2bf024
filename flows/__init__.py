"""The runbooks. Telemetry is off before Prefect is imported; nothing is read or made here."""

import logging

from tasks.lifeline import end_with_starter
from tasks.settings import quiet_libraries

quiet_libraries()
# A run's own process ends with whatever started it.
end_with_starter()


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a log line of a run says anything. A run that ends as failed on purpose has said
    why in its state; Prefect's stack trace of that would bury it."""
    return not (
        record.exc_info and record.exc_info[0] and record.exc_info[0].__name__ == "FailedRun"
    )


logging.getLogger("prefect.flow_runs").addFilter(_is_news)
