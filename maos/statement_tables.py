"""The two tables of a statement as they are exported: its lines, and the entries behind them."""

from maos.billing import Statement
from maos.export_tables import Cells, Column, ColumnType, ExportTable

_LINES = (
    Column("statement"),
    Column("org"),
    Column("month"),
    Column("section"),
    Column("corrects_month"),
    Column("engine"),
    Column("action"),
    Column("unit"),
    Column("quantity", ColumnType.QUANTITY),
    Column("rate_usd", ColumnType.MONEY),
    Column("amount_usd", ColumnType.MONEY),
    Column("entries", ColumnType.WHOLE),
)
# In the order that `sql.billing.entries_of` yields them in.
ENTRY_COLUMNS = (
    Column("entry_id"),
    Column("recorded_at", ColumnType.TIME),
    Column("run_id"),
    Column("invocation_id"),
    Column("kind"),
    Column("number", ColumnType.WHOLE),
    Column("corrects_month"),
    Column("engine"),
    Column("action"),
    Column("unit"),
    Column("quantity", ColumnType.WHOLE),
    Column("amount_usd", ColumnType.MONEY),
)


def lines_table(statement: Statement) -> ExportTable:
    """Return the lines of a statement, each with the statement it is of."""
    head = (statement.reference, statement.org, statement.month)
    rows: list[Cells] = [
        (
            *head,
            "correction" if line.corrects else "usage",
            line.corrects,
            line.engine,
            line.action,
            line.unit,
            f"{line.quantity:f}",
            None if line.rate_usd is None else f"{line.rate_usd:f}",
            f"{line.amount_usd:f}",
            line.entries,
        )
        for line in statement.lines
    ]
    return ExportTable(_LINES, rows)
