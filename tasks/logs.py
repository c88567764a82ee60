"""Logs without secrets, whoever writes them: a process that is guarded gives no record to any handler as it came."""

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType

from maos.redaction import Redaction
from tasks.secrecy import keeper, redaction

# What every record has; the rest came with `extra`.
_OWN_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class ErrorInWords(Exception):
    """An error of which a log keeps the words, and no value."""


def guard_logs() -> None:
    """Keep secrets out of every log of this process, and out of what Python prints of an error that nobody caught.

    The records are cleaned where they are made, which no configuration of Prefect undoes. What came with `extra` is
    added later, and is cleaned by a filter on each handler. Doing it again only reaches handlers that are new.
    """
    if not isinstance(logging.getLogRecordFactory(), GuardedFactory):
        logging.setLogRecordFactory(GuardedFactory(logging.getLogRecordFactory()))
        sys.excepthook = _print_error
        threading.excepthook = _print_thread_error
    for handler in _handlers():
        if not any(isinstance(known, ExtraFilter) for known in handler.filters):
            handler.addFilter(ExtraFilter())


def guard() -> None:
    """Guard the logs of a process that has settings, which are secret from here on."""
    redaction()
    guard_logs()


class GuardedFactory:
    """Makes log records whose message, arguments and error hold no secret."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: object, **fields: object) -> logging.LogRecord:
        """Make a record."""
        record = self._make(*args, **fields)
        known = keeper().redaction
        _clean_message(record, known)
        _clean_error(record, known)
        return record


class ExtraFilter(logging.Filter):
    """Lets every record pass, without secrets in what its logger was told to add."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the added fields."""
        known = keeper().redaction
        for name in record.__dict__.keys() - _OWN_FIELDS:
            value = record.__dict__[name]
            if known.holds_secret(words := str(value)):
                record.__dict__[name] = known.without_secrets(words)
        return True


def _clean_message(record: logging.LogRecord, known: Redaction) -> None:
    try:
        said = record.getMessage()
    except (TypeError, ValueError, LookupError):
        # As it is, the handler would print the arguments to show what does not fit.
        said, clean = "", f"{known.without_secrets(str(record.msg))} {known.without_secrets(repr(record.args))}"
    else:
        clean = known.without_secrets(said)
    if clean != said:
        record.msg, record.args = clean, None


def _clean_error(record: logging.LogRecord, known: Redaction) -> None:
    if record.stack_info:
        record.stack_info = known.without_secrets(record.stack_info)
    if not record.exc_info or record.exc_info[1] is None:
        return
    told = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
    clean = known.without_secrets(told)
    if clean != told:
        error = ErrorInWords(known.without_secrets(f"{record.exc_info[0].__name__}: {record.exc_info[1]}"))
        # Formatters print the text; those that look at the error itself find nothing in it.
        record.exc_text, record.exc_info = clean, (ErrorInWords, error, None)


def _handlers() -> Iterator[logging.Handler]:
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for logger in loggers:
        if isinstance(logger, logging.Logger):
            yield from logger.handlers


def _print_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    told = "".join(traceback.format_exception(kind, error, trace))
    sys.stderr.write(keeper().redaction.without_secrets(told))


def _print_thread_error(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        _print_error(failed.exc_type, failed.exc_value, failed.exc_traceback)
