"""What a report says of the files that its data set is made of."""

from maos.datasets import DatasetFacts, FileFacts
from maos.labels import printable

_LONGEST_SHEET = 60


def source_note(facts: DatasetFacts) -> str:
    """Return each file with its format, size and, where there are several, its rows."""
    if len(facts.files) < 2:
        return f"{named(facts)} ({facts.format.value.upper()}, {facts.size:,} bytes)"
    return "; ".join(_of_several(file) for file in facts.files)


def digest_note(facts: DatasetFacts) -> str:
    """Return the digest of each file, in their order."""
    return "SHA-256 " + ", ".join([file.sha256 for file in facts.files] or [facts.sha256])


def named(facts: DatasetFacts) -> str:
    """Return a data set's name; of a spreadsheet, with the sheet that was read."""
    return facts.display_name + (_sheet(facts.files[0]) if len(facts.files) == 1 else "")


def _of_several(file: FileFacts) -> str:
    left_out = f", {file.unreadable_rows:,} unreadable lines" if file.unreadable_rows else ""
    return (
        f"{file.display_name}{_sheet(file)} ({file.format.value.upper()}, {file.size:,} bytes):"
        f" {file.row_count:,} rows{left_out}"
    )


def _sheet(file: FileFacts) -> str:
    return f", sheet “{printable(file.sheet, _LONGEST_SHEET)}” from row {file.header_row:,}" if file.sheet else ""
