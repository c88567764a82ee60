"""An answer as its readers may see it: what was written for it names no engine, and what the data name stays."""

from collections.abc import Callable

from maos.analysis import AnalysisTables, QueryResult, WrittenQuery
from maos.answer import Answer
from maos.answer_text import AnswerText
from maos.redaction import Redaction

_Clean = Callable[[str], str]


def cleaner_for(tables: AnalysisTables, result: QueryResult, redaction: Redaction) -> _Clean:
    """Return what takes out of a text what a reader must not see, but for the names in the data."""
    labels = "\n".join(_labels(tables))
    # A query that names a vendor could have put the name into its result: then cells are no proof of the data.
    proven = redaction.let_out(result.sql, spared=labels) == result.sql
    spared = "\n".join((labels, *_cells(result))) if proven else labels
    return lambda text: redaction.let_out(text, spared=spared)


def discreet_answer(answer: Answer, redaction: Redaction) -> Answer:
    """Return the answer with its written texts redacted; names that stand in the data are the customer's own."""
    clean = cleaner_for(answer.tables, answer.result, redaction)
    return answer.model_copy(
        update={
            "title": clean(answer.title),
            "question": clean(answer.question),
            "query": _query(answer.query, clean),
            "result": discreet_result(answer.result, clean),
            "text": _text(answer.text, clean),
        }
    )


def _labels(tables: AnalysisTables) -> list[str]:
    found = [table.profile.facts.display_name for table in tables.tables]
    for table in tables.tables:
        for column in table.columns:
            found += [column.name, *column.values]
    return found


def _cells(result: QueryResult) -> list[str]:
    return [cell for row in result.rows for cell in row if cell]


def _query(query: WrittenQuery, clean: _Clean) -> WrittenQuery:
    texts = {"missing": tuple(map(clean, query.missing)), "assumptions": tuple(map(clean, query.assumptions))}
    return query.model_copy(update=texts)


def discreet_result(result: QueryResult, clean: _Clean) -> QueryResult:
    """Return the result with its query, its names and its cells redacted."""
    check = result.cross_check
    return result.model_copy(
        update={
            "sql": clean(result.sql),
            "check_sql": clean(result.check_sql),
            "columns": tuple(column.model_copy(update={"name": clean(column.name)}) for column in result.columns),
            "rows": tuple(tuple(cell and clean(cell) for cell in row) for row in result.rows),
            "cross_check": check and check.model_copy(update={"label": clean(check.label)}),
        }
    )


def _text(text: AnswerText, clean: _Clean) -> AnswerText:
    # Not validated anew: what stands in for a name may be longer than it.
    return text.model_copy(
        update={
            "answer": clean(text.answer),
            "context": clean(text.context),
            "caveats": tuple(map(clean, text.caveats)),
        }
    )
