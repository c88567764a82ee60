"""What stands where a person's data was erased, and where it stands."""

from collections.abc import Iterator

# As the database writes it.
ERASED = "[erased]"
# The event of an audit row.
ERASURE = "privacy.erased"


def erased_places(document: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield where something was erased from a JSON document."""
    if document == ERASED:
        yield place
    elif isinstance(document, dict):
        for name, item in document.items():
            if name == ERASED:
                yield place
            yield from erased_places(item, (*place, name))
    elif isinstance(document, list):
        for number, item in enumerate(document):
            yield from erased_places(item, (*place, number))
