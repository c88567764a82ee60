"""Several files as one data set: the rows of files with the same columns, one after the other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from maos.datasets import DatasetFacts, FileFacts
from maos.errors import BadInput
from maos.labels import printable
from maos.report_parameters import ProfileParameters
from maos.settings import Settings
from tasks.datasets import DatasetFile, facts_of, file_facts, materialise, open_file, unchanged
from tasks.tables import Table, engine_config, lock

_MOST_NAMED = 20


@dataclass(frozen=True)
class OpenFiles:
    """Open files as one table, and what each of several is."""

    table: Table
    first: DatasetFile
    files: tuple[FileFacts, ...] = ()

    def facts(self) -> DatasetFacts:
        """Return the facts of the data set as a whole.

        Raises:
            BadInput: when it has no rows.
        """
        if not self.files:
            return facts_of(self.first, self.table)
        facts = facts_of(self.first, self.table, content=", ".join(file.content for file in self.files))
        return facts.model_copy(update={"files": self.files, "size": sum(file.size for file in self.files)})


def inspect_files(datasets: Sequence[str], *, org: str, settings: Settings) -> DatasetFacts:
    """Read what a data set of one or more files is.

    Raises:
        BadInput: when a file cannot be read, has other columns than the first, or is there twice.
    """
    with TemporaryDirectory(prefix="maos-dataset-") as folder:
        files = _found(datasets, org=org, folder=Path(folder), settings=settings)
        for position, file in enumerate(files):
            if any((file.sha256, file.sheet) == (other.sha256, other.sheet) for other in files[:position]):
                raise BadInput("further_datasets", file.shown, "each file once: its rows would count twice")
        with open_files(files) as opened:
            return opened.facts()


def report_files(asked: ProfileParameters, *, org: str, folder: Path, settings: Settings) -> list[DatasetFile]:
    """Return the files that a plan was made for.

    Raises:
        BadInput: when the organisation may not read one.
        EngineFailure: when one has changed since.
    """
    pinned = [(asked.dataset, asked.digest), *((each.dataset, each.digest) for each in asked.further)]
    files = _found([dataset for dataset, _ in pinned], org=org, folder=folder, settings=settings)
    return [unchanged(file, digest) for file, (_, digest) in zip(files, pinned, strict=True)]


@contextmanager
def open_files(files: Sequence[DatasetFile]) -> Iterator[OpenFiles]:
    """Open files as one table, for as long as the context lasts.

    Raises:
        BadInput: when one is no table, or has other columns than the first.
    """
    if len(files) == 1:
        with open_file(files[0]) as table:
            yield OpenFiles(table, files[0])
        return
    with TemporaryDirectory(prefix="maos-joined-") as folder:
        database = Path(folder) / "rows.duckdb"
        names, facts = _joined(files, database)
        with duckdb.connect(str(database), read_only=True, config=engine_config(Path(folder))) as connection:
            lock(connection)
            texts = tuple(f"r{index}" for index in range(len(names)))
            connection.execute("CREATE TEMP VIEW data AS SELECT * FROM joined")
            connection.execute(f"CREATE TEMP VIEW raw AS SELECT * FROM joined AS rows({', '.join(texts)})")  # noqa: S608
            unreadable = sum(file.unreadable_rows for file in facts)
            yield OpenFiles(Table(connection, names, unreadable, texts), files[0], facts)


def _found(datasets: Sequence[str], *, org: str, folder: Path, settings: Settings) -> list[DatasetFile]:
    files = []
    for position, dataset in enumerate(datasets):
        with _blamed(position):
            files.append(materialise(dataset, org=org, folder=folder, settings=settings))
    return files


def _joined(files: Sequence[DatasetFile], database: Path) -> tuple[tuple[str, ...], tuple[FileFacts, ...]]:
    """Write the rows of all files into one table of text columns."""
    names: tuple[str, ...] = ()
    facts = []
    for position, file in enumerate(files):
        with _blamed(position), open_file(file, database=str(database)) as table:
            names = names or table.names
            _check_columns(table.names, names, file=file, first=files[0])
            facts.append(file_facts(file, _appended(table, names, new=position == 0), table.unreadable))
    return names, tuple(facts)


def _appended(table: Table, names: Sequence[str], *, new: bool) -> int:
    columns = ", ".join(f"{table.column(name)} AS c{index}" for index, name in enumerate(names))
    target = "CREATE TABLE joined AS" if new else "INSERT INTO joined"
    ((rows,),) = table.connection.execute(f"{target} SELECT {columns} FROM data").fetchall()  # noqa: S608
    return int(rows)


def _check_columns(names: Sequence[str], expected: Sequence[str], *, file: DatasetFile, first: DatasetFile) -> None:
    lacking = _listed("it lacks", [name for name in expected if name not in names])
    other = _listed("it has", [name for name in names if name not in expected])
    if lacking or other:
        detail = "; ".join(filter(None, (lacking, other)))
        raise BadInput("further_datasets", file.shown, f"a file with the columns of {first.shown} ({detail})")


def _listed(what: str, names: Sequence[str]) -> str:
    more = [f"and {len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
    return f"{what} {', '.join([*map(printable, names[:_MOST_NAMED]), *more])}" if names else ""


@contextmanager
def _blamed(position: int) -> Iterator[None]:
    """Have an error name the field in which its file was given."""
    try:
        yield
    except BadInput as error:
        if position == 0:
            raise
        raise BadInput("further_datasets", error.value, error.allowed) from None
