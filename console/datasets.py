"""Data sets of this machine's user, put where runs may read them."""

import hashlib
import json
import os
import shutil
from pathlib import Path

from maos.requests import DatasetRequest, RunRequest
from maos.settings import load_settings
from tasks.datasets import inspect_dataset, readable_roots


def with_stored_dataset(request: RunRequest) -> RunRequest:
    """Return the request with its local data set copied into the store, unless runs may read it where it is.

    A run reads from its organisation's store only: neither other files of the machine nor later changes of the file
    are within its reach.

    Raises:
        BadInput: when the file holds no table; nothing is copied then.
    """
    path = _out_of_reach(request)
    if path is None or not isinstance(request, DatasetRequest):
        return request
    settings = load_settings()
    # The person at the keyboard may read the file: it is looked at where it lies before it is copied.
    here = settings.model_copy(update={"dataset_roots": [path.resolve().parent]})
    inspect_dataset(request.dataset, org=request.org, settings=here)
    return request.model_copy(update={"dataset": str(_store(path, settings.dataset_store / request.org))})


def bring_within_reach(request: RunRequest) -> None:
    """Let this process read the request's local data set where it lies, so that it can be planned without a copy."""
    if path := _out_of_reach(request):
        roots = [*load_settings().dataset_roots, path.resolve().parent]
        os.environ["MAOS_DATASET_ROOTS"] = json.dumps([str(root) for root in roots])


def _out_of_reach(request: RunRequest) -> Path | None:
    """Return the local file of a request that runs may not read where it lies."""
    if not isinstance(request, DatasetRequest) or "://" in request.dataset:
        return None
    path = Path(request.dataset)
    roots = readable_roots(request.org, load_settings())
    inside = any(path.resolve().is_relative_to(root) for root in roots)
    return path if path.is_file() and not inside else None


def _store(path: Path, folder: Path) -> Path:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    stored = folder / digest[:16] / path.name
    if not stored.exists():
        stored.parent.mkdir(parents=True, exist_ok=True)
        partial = stored.with_suffix(".partial")
        shutil.copyfile(path, partial)
        partial.replace(stored)
    return stored
