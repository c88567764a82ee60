"""Decides whether a query may run: one SELECT over the given tables, in the part of SQL that is known to be harmless.

What runs is written anew from what was checked, so that no text can mean one thing here and another to the engine.
"""

from collections.abc import Collection, Iterator, Mapping

import sqlglot
from pydantic import BaseModel, ConfigDict, Field
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from maos.errors import QueryRefused
from maos.query_language import FUNCTIONS, NAMES, SYNTAX, TYPES, name_of

LONGEST_SQL = 8_000
_MOST_NODES = 2_500
_DIALECT = "duckdb"

# The tables of a query: the columns of each by its name.
Tables = Mapping[str, Collection[str]]


class CheckedQuery(BaseModel):
    """A query that may run."""

    model_config = ConfigDict(frozen=True)

    sql: str = Field(description="The query as it runs, every name quoted.")
    columns: frozenset[str] = Field(description="The columns of the tables that it reads, in lower case.")


def checked_query(sql: str, tables: Tables) -> CheckedQuery:
    """Return the query as it may run.

    Raises:
        QueryRefused: with every fault, in words that its writer can act on.
    """
    try:
        tree = _parsed(sql)
        if faults := list(dict.fromkeys(_faults(tree, tables))):
            raise QueryRefused(faults)
        written = tree.sql(dialect=_DIALECT, pretty=True, identify=True, comments=False)
    except RecursionError:
        raise QueryRefused(["it is nested too deep"]) from None
    read = {column.name.lower() for column in tree.find_all(exp.Column)}
    if any(tree.find_all(exp.Star)):
        read |= {name.lower() for columns in tables.values() for name in columns}
    return CheckedQuery(sql=written, columns=frozenset(read))


def query_faults(sql: str, tables: Tables) -> list[str]:
    """Return why a query may not run; nothing where it may."""
    try:
        checked_query(sql, tables)
    except QueryRefused as refused:
        return list(refused.faults)
    return []


def _parsed(sql: str) -> exp.Expression:
    if len(sql) > LONGEST_SQL:
        raise QueryRefused([f"it is longer than {LONGEST_SQL:,} characters"])
    try:
        statements = [tree for tree in sqlglot.parse(sql, dialect=_DIALECT) if tree is not None]
    except ParseError as error:
        # Not its own words: they repeat the query, with marks of a terminal.
        reasons = {str(fault.get("description") or "syntax error") for fault in error.errors}
        raise QueryRefused([f"it cannot be parsed: {reason}" for reason in sorted(reasons)]) from None
    except SqlglotError:
        raise QueryRefused(["it cannot be parsed"]) from None
    if len(statements) != 1:
        raise QueryRefused([f"it must be exactly one SELECT, and is {len(statements)} statements"])
    (tree,) = statements
    if not isinstance(tree, exp.Select | exp.SetOperation):
        raise QueryRefused(["it must be exactly one SELECT, with or without WITH before it"])
    return tree


def _faults(tree: exp.Expression, tables: Tables) -> Iterator[str]:
    nodes = list(tree.walk())
    if len(nodes) > _MOST_NODES:
        yield f"it has more than {_MOST_NODES:,} parts"
        return
    names = {name.lower() for name in tables} | {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    columns = _known_columns(tree, tables)
    for node in nodes:
        yield from _part_faults(node)
        if isinstance(node, exp.Table):
            yield from _table_faults(node, names, tables)
        elif isinstance(node, exp.Column):
            yield from _column_faults(node, columns)


def _part_faults(node: exp.Expr) -> Iterator[str]:
    known = type(node) in SYNTAX or type(node) in FUNCTIONS
    if not known and not (isinstance(node, exp.Anonymous) and node.name.lower() in NAMES):
        yield f"{name_of(node)} is not allowed"
    if isinstance(node, exp.With) and node.args.get("recursive"):
        yield "WITH RECURSIVE is not allowed"
    if isinstance(node, exp.DataType) and (node.this not in TYPES or node.args.get("nested")):
        yield f"the type {node.sql(dialect=_DIALECT)} is not allowed"


def _table_faults(table: exp.Table, names: Collection[str], tables: Tables) -> Iterator[str]:
    if not isinstance(table.this, exp.Identifier):
        # A function in the place of a table; its own fault says which.
        yield "it may read from the tables alone, not from functions"
    elif table.args.get("db") or table.args.get("catalog") or table.name.lower() not in names:
        yield f"there is no table {table.sql(dialect=_DIALECT)}; tables: {', '.join(tables)}"


def _column_faults(column: exp.Column, known: Collection[str]) -> Iterator[str]:
    if column.args.get("db") or column.args.get("catalog"):
        yield f"{column.sql(dialect=_DIALECT)} has too many parts"
    elif not isinstance(column.this, exp.Star) and column.name.lower() not in known:
        yield f"there is no column {column.name!r}"


def _known_columns(tree: exp.Expression, tables: Tables) -> frozenset[str]:
    """Return every name that a column can have; which of them belongs where, the engine knows."""
    made = [alias.alias for alias in tree.find_all(exp.Alias)]
    made += [part.name for alias in tree.find_all(exp.TableAlias) for part in alias.args.get("columns") or ()]
    return frozenset(name.lower() for name in (*made, *(each for columns in tables.values() for each in columns)))
