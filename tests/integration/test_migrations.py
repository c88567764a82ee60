"""Migrations bring a database to the shape that the table classes state."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import sql.tables  # noqa: F401 - registers every table in the metadata
from sql.database import sqlalchemy_address, upgrade

_IN_SQL_FILES = {"remove_index", "add_index", "remove_constraint", "add_constraint", "remove_fk", "add_fk"}


def test_upgrading_twice_is_harmless(database: str) -> None:
    upgrade(database)


def test_the_table_classes_state_the_columns_of_the_database(database: str) -> None:
    engine = create_engine(sqlalchemy_address(database))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "include_object": lambda _o, name, *_: "audit_log_" not in (name or "")},
        )
        differences = compare_metadata(context, SQLModel.metadata)
    engine.dispose()

    assert [difference for difference in differences if difference[0] not in _IN_SQL_FILES] == []
