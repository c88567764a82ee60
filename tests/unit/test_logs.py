"""No record of a guarded process holds a secret, however its logger was told of it."""

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from maos.redaction import Redaction
from tasks.logs import guard_logs
from tasks.secrecy import keeper

SECRET = "gateway.canary+7f3a"

Log = tuple[logging.Logger, io.StringIO]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A logger of a guarded process that knows the secret, and what it has written."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    factory, written = logging.getLogRecordFactory(), io.StringIO()
    handler, logger = logging.StreamHandler(written), logging.getLogger("maos.test")
    handler.setFormatter(logging.Formatter("%(message)s %(key)s", defaults={"key": ""}))
    logger.addHandler(handler)
    keeper.cache_clear()
    keeper().learn(Redaction(frozenset({SECRET})))
    guard_logs()
    yield logger, written
    logging.setLogRecordFactory(factory)
    logger.removeHandler(handler)
    keeper.cache_clear()


class _Holder:
    def __str__(self) -> str:
        return f"holds {SECRET}"


def _exception(logger: logging.Logger) -> None:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise RuntimeError(f"with {SECRET}") from error
    except RuntimeError:
        logger.exception("it broke")


@pytest.mark.parametrize(
    "say",
    [
        lambda logger: logger.error(f"the key {SECRET}"),
        lambda logger: logger.error("the key %s", SECRET),
        lambda logger: logger.error("the key %(key)s", {"key": SECRET}),
        lambda logger: logger.error("the key %r", [SECRET]),
        lambda logger: logger.error("the key %s", _Holder()),
        lambda logger: logger.error(_Holder()),
        lambda logger: logger.error("an address: postgresql://maos:hunter2%s@db", SECRET),
        lambda logger: logger.error("extra", extra={"key": SECRET}),
        lambda logger: logger.error("extra", extra={"key": {"nested": _Holder(), "key": SECRET}}),
        _exception,
    ],
)
def test_a_secret_is_written_by_no_way_of_logging(log: Log, say: Callable[[logging.Logger], None]) -> None:
    logger, written = log

    say(logger)

    assert SECRET not in written.getvalue()
    assert "[secret]" in written.getvalue()


def test_a_record_that_does_not_fit_its_arguments_is_not_explained_with_them(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    logger, written = log

    logger.error("two %s %s", SECRET)

    assert "[secret]" in written.getvalue()
    assert SECRET not in written.getvalue() + capsys.readouterr().err


def test_an_error_keeps_its_lines_and_gives_formatters_no_value(log: Log) -> None:
    logger, written = log
    seen: list[logging.LogRecord] = []
    logger.addFilter(lambda record: bool(seen.append(record)) or True)

    _exception(logger)

    assert "RuntimeError: with [secret]" in written.getvalue()
    assert "in _exception" in written.getvalue()
    assert seen[0].exc_info is not None
    assert SECRET not in str(seen[0].exc_info[1])


def test_what_holds_no_secret_is_logged_as_it_is(log: Log) -> None:
    logger, written = log
    seen: list[logging.LogRecord] = []
    logger.addFilter(lambda record: bool(seen.append(record)) or True)

    logger.error("step %s of run %d", "write_narrative", 3)

    assert written.getvalue() == "step write_narrative of run 3 \n"
    assert seen[0].args == ("write_narrative", 3)


def test_handlers_that_come_later_get_clean_records(log: Log) -> None:
    logger, _ = log
    later = io.StringIO()
    handler = logging.StreamHandler(later)
    logger.addHandler(handler)

    logger.error("the key %s", SECRET)
    logger.removeHandler(handler)

    assert later.getvalue() == "the key [secret]\n"


@pytest.mark.usefixtures("log")
def test_an_error_that_nobody_catches_is_printed_without_it(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise RuntimeError(SECRET)
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    thread = threading.Thread(target=lambda: int(SECRET))
    thread.start()
    thread.join()

    said = capsys.readouterr().err
    assert "RuntimeError: [secret]" in said
    assert "ValueError" in said
    assert SECRET not in said


def test_guarding_twice_is_as_good_as_once(log: Log) -> None:
    logger, written = log
    factory = logging.getLogRecordFactory()

    guard_logs()
    logger.error(SECRET)

    assert logging.getLogRecordFactory() is factory
    assert written.getvalue() == "[secret] \n"
