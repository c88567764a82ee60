"""The statements that the ledger sends, recorded; and plain psycopg sending them again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlmodel import Session

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
    def under_way(self) -> list[Sent]:
        """The statements of a transaction that goes on."""
        return self._open

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

    def commit(_session: Session) -> None:
        recording.commit()

    event.listen(Engine, "before_cursor_execute", send)
    event.listen(Session, "after_commit", commit)
    try:
        yield recording
    finally:
        event.remove(Engine, "before_cursor_execute", send)
        event.remove(Session, "after_commit", commit)


Prepared = list[list[Sent]]


def as_other_steps(recording: Recording, step: str, others: Sequence[str]) -> list[Prepared]:
    """Return what the ledger sent for a step as it would be for other steps of the same run, ready to be sent."""
    return [_as_another(recording, {step: other}) for other in others]


def _as_another(recording: Recording, names: dict[object, object]) -> Prepared:
    others = names | {each: uuid4() for each in _new_ids(recording)}
    return [
        [
            Sent(sent.statement, {name: others.get(_key(value), value) for name, value in sent.values.items()})
            for sent in each
        ]
        for each in recording.transactions
    ]


def send_one_by_one(connection: psycopg.Connection, prepared: Prepared) -> None:
    """Send the statements of a step as plain psycopg does, each when the one before it is answered."""
    for transaction in prepared:
        sequence = 0
        for sent in transaction:
            sequence = _send(connection, sent, sequence)
        connection.commit()


def send_in_pipelines(connection: psycopg.Connection, prepared: Prepared) -> None:
    """Send them together, but for what needs an answer: the place in the chain."""
    for transaction in prepared:
        sequence = 0
        with connection.pipeline():
            for sent in transaction:
                sequence = _send(connection, sent, sequence)
            connection.commit()


def _send(connection: psycopg.Connection, sent: Sent, sequence: int) -> int:
    if sequence and "sequence" in sent.values:
        sent.values["sequence"] = sequence
    found = connection.execute(sent.statement.encode(), sent.values)
    return found.fetchall()[0][0] + 1 if "FROM audit_chain_heads" in sent.statement else sequence


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
