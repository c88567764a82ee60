"""Data sets of this machine's user, put where runs may read them."""

import hashlib
import json
import os
import shutil
from pathlib import Path

from maos.image_request import CreateImageRequest
from maos.requests import AnalyzeDataRequest, DatasetRequest, RunRequest
from maos.settings import load_settings
from tasks.datasets import inspect_dataset, readable_roots
from tasks.reference_images import find_reference


def with_stored_dataset(request: RunRequest) -> RunRequest:
    """Return the request with its local data sets copied into the store, unless runs may read them where they are.

    A run reads from its organisation's store only: neither other files of the machine nor later changes of the file
    are within its reach.

    Raises:
        BadInput: when a file holds no table, or no picture where one is asked for; nothing is copied then.
    """
    paths = _out_of_reach(request)
    settings = load_settings()
    for dataset, path in paths.items():
        # The person at the keyboard may read the file: it is looked at where it lies before it is copied.
        here = settings.model_copy(update={"dataset_roots": [path.resolve().parent]})
        if isinstance(request, CreateImageRequest):
            find_reference(dataset, org=request.org, settings=here)
        else:
            inspect_dataset(dataset, org=request.org, settings=here)
    store = settings.dataset_store / request.org
    return _renamed(request, {dataset: str(_store(path, store)) for dataset, path in paths.items()})


def bring_within_reach(request: RunRequest) -> None:
    """Let this process read the request's local data sets where they lie, so that it can be planned without copies."""
    if paths := _out_of_reach(request):
        roots = [*load_settings().dataset_roots, *(path.resolve().parent for path in paths.values())]
        os.environ["MAOS_DATASET_ROOTS"] = json.dumps([str(root) for root in roots])


def _datasets_of(request: RunRequest) -> tuple[str, ...]:
    if isinstance(request, AnalyzeDataRequest):
        return request.datasets
    if isinstance(request, CreateImageRequest):
        return request.references
    return (request.dataset,) if isinstance(request, DatasetRequest) else ()


def _renamed(request: RunRequest, names: dict[str, str]) -> RunRequest:
    if isinstance(request, AnalyzeDataRequest):
        datasets = tuple(names.get(dataset, dataset) for dataset in request.datasets)
        return request.model_copy(update={"datasets": datasets})
    if isinstance(request, CreateImageRequest):
        references = tuple(names.get(reference, reference) for reference in request.references)
        return request.model_copy(update={"references": references})
    if isinstance(request, DatasetRequest):
        return request.model_copy(update={"dataset": names.get(request.dataset, request.dataset)})
    return request


def _out_of_reach(request: RunRequest) -> dict[str, Path]:
    """Return the local files of a request that runs may not read where they lie, by the names it has for them."""
    roots = readable_roots(request.org, load_settings())
    paths = {dataset: Path(dataset) for dataset in _datasets_of(request) if "://" not in dataset}
    return {
        dataset: path
        for dataset, path in paths.items()
        if path.is_file() and not any(path.resolve().is_relative_to(root) for root in roots)
    }


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
