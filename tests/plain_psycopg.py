"""The statements that the ledger sends, recorded; and plain psycopg sending them again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import Connection, Engine, event

_WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Sent:
    """A statement with its values."""

    statement: str
    # Any: what the driver is given.
    values: Any


@dataclass
class Recording:
    """What was sent, one list a transaction."""

    transactions: list[list[Sent]] = field(default_factory=list)
    _open: list[Sent] = field(default_factory=list)

    def send(self, statement: str, values: Any) -> None:
        """Note a statement."""
        self._open.append(Sent(statement, values))

    def commit(self) -> None:
        """Note the end of a transaction."""
        if self._open:
            self.transactions.append(self._open)
        self._open = []

    @property
    def last(self) -> Sent:
        """The last statement, of a transaction that goes on."""
        return self._open[-1]

    @property
    def writing(self) -> int:
        """How many of the transactions wrote something: what a commit costs."""
        return sum(any(sent.statement.startswith(_WRITES) for sent in each) for each in self.transactions)


@contextmanager
def recorded() -> Iterator[Recording]:
    """Record what this process sends to the database meanwhile."""
    recording = Recording()

    # Any: SQLAlchemy's own objects.
    def send(_connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        recording.send(statement, values)

    def commit(_connection: Connection) -> None:
        recording.commit()

    event.listen(Engine, "before_cursor_execute", send)
    event.listen(Engine, "commit", commit)
    try:
        yield recording
    finally:
        event.remove(Engine, "before_cursor_execute", send)
        event.remove(Engine, "commit", commit)


def send_again(connection: psycopg.Connection, recording: Recording, *, step: str, as_step: str) -> None:
    """Send what a step of the ledger sent, as another step of the same run."""
    others: dict[object, object] = {step: as_step, **{each: uuid4() for each in _new_ids(recording)}}
    sequence = 0
    for transaction in recording.transactions:
        for sent in transaction:
            values = {name: others.get(_key(value), value) for name, value in sent.values.items()}
            if "audit" in sent.statement and sent.statement.startswith(("INSERT", "UPDATE")):
                values |= {name: sequence for name in values if name.startswith("sequence")}
            found = connection.execute(sent.statement.encode(), values)
            rows = found.fetchall() if found.description else []
            if "FROM audit_chain_heads" in sent.statement:
                sequence = rows[0][0] + 1
        connection.commit()


def _key(value: object) -> object:
    return value if isinstance(value, str | UUID) else None


def _new_ids(recording: Recording) -> set[object]:
    """Return the ids of the rows that were inserted."""
    return {
        sent.values["id"]
        for each in recording.transactions
        for sent in each
        if sent.statement.startswith("INSERT") and "id" in sent.values
    }
