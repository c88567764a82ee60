"""Digests of the code that a run depends on; comments and blank lines do not count."""

import hashlib
import io
import sys
import tokenize
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import maos

# What a run's doing depends on; the command line and the stack may change beneath it.
_ROOMS = ("maos", "flows", "tasks", "blocks", "sql")
_NO_MEANING = frozenset({tokenize.COMMENT, tokenize.NL})


@lru_cache(maxsize=1)
def project_digest() -> str:
    """Return the digest of all code that runs are made of: while it stays, nothing that a run uses has changed."""
    root, digest = Path(maos.__file__).parent.parent, hashlib.sha256()
    for path in sorted(path for room in _ROOMS for path in (root / room).rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def code_digest(function: Callable[..., Any]) -> str:
    """Return the digest of the module that a function is written in."""
    file = sys.modules[function.__module__].__file__
    return _tokens_digest(Path(file).read_text()) if file else ""


def _tokens_digest(source: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    meaning = "\x1f".join(token.string for token in tokens if token.type not in _NO_MEANING)
    return hashlib.sha256(meaning.encode()).hexdigest()
