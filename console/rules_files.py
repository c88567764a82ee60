"""Documents of rules as people give them: files."""

from pathlib import Path

from maos.errors import BadInput


def read_document(file: Path) -> str:
    """Return the text of a file.

    Raises:
        BadInput: when it cannot be read.
    """
    try:
        return file.read_bytes().decode()
    except OSError as error:
        raise BadInput("FILE", str(file), f"a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadInput("FILE", str(file), "a text in UTF-8") from None
