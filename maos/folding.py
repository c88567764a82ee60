"""Text as it reads, whatever it is written with: case, wide letters, look-alikes and invisible signs folded away."""

import unicodedata
from dataclasses import dataclass

# Letters of other scripts that look like these; a word of that script folds into nothing that is a term.
_LOOK_ALIKES = str.maketrans("аеорсухіѕԁһкмтвнɡαοινρευκτ", "aeopcyxisdhkmtbhgaoivpeukt")
# Format characters and marks that are put over a letter.
_INVISIBLE = frozenset({"Cf", "Mn", "Me"})


@dataclass(frozen=True)
class Folded:
    """A folded text, and where each of its characters stood in the original."""

    text: str
    places: tuple[int, ...] | None

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """Return the part of the original that a part of the folded text came from."""
        if self.places is None:
            return begin, end
        return self.places[begin], self.places[end - 1] + 1


def folded(text: str) -> Folded:
    """Fold a text for comparing; ASCII, which most text is, costs nothing but lower case."""
    if text.isascii():
        return Folded(text.lower(), None)
    characters: list[str] = []
    places: list[int] = []
    for place, original in enumerate(text):
        if unicodedata.category(original) in _INVISIBLE:
            continue
        for character in unicodedata.normalize("NFKC", original).casefold().translate(_LOOK_ALIKES):
            characters.append(character)
            places.append(place)
    return Folded("".join(characters), tuple(places))
