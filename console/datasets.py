"""Data sets of this machine's user, put where runs may read them."""

import hashlib
import json
import os
import shutil
from pathlib import Path

from console.workflow_inputs import definition_of
from maos.canonical import digest_of
from maos.dataset_addresses import address_of, with_place
from maos.image_request import CreateImageRequest
from maos.json_schemas import with_texts
from maos.requests import AnalyzeDataRequest, DatasetRequest, GenerateReportRequest, RunRequest
from maos.settings import load_settings
from maos.workflow_request import RunWorkflowRequest
from maos.workflows import SOURCES
from tasks.datasets import inspect_dataset, readable_roots
from tasks.joined_files import inspect_files
from tasks.material import find_material, sources_of
from tasks.reference_images import find_reference
from tasks.workflows import checked_inputs


def with_stored_dataset(request: RunRequest) -> RunRequest:
    """Return the request with its local data sets copied into the store, unless runs may read them where they are.

    A run reads from its organisation's store only: neither other files of the machine nor later changes of the file
    are within its reach.

    Raises:
        BadInput: when a file holds no table, or no picture where one is asked for; nothing is copied then.
    """
    paths = _out_of_reach(request)
    settings = load_settings()
    # The person at the keyboard may read the files: they are looked at where they lie before they are copied.
    folders = [path.resolve().parent for path in paths.values()]
    here = settings.model_copy(update={"dataset_roots": [*settings.dataset_roots, *folders]})
    if isinstance(request, RunWorkflowRequest):
        definition = definition_of(request)
        find_material(definition, checked_inputs(definition, request.inputs), org=request.org, settings=here)
    elif isinstance(request, CreateImageRequest):
        for reference in paths:
            find_reference(reference, org=request.org, settings=here)
    elif isinstance(request, GenerateReportRequest) and paths:
        # Together, as far as they are on this machine: what is elsewhere, the run may reach and this machine not.
        local = [dataset for dataset in _datasets_of(request) if "://" not in dataset]
        inspect_files(local, org=request.org, settings=here)
    else:
        for dataset in paths:
            inspect_dataset(dataset, org=request.org, settings=here)
    store = settings.dataset_store / request.org
    return _renamed(request, {name: with_place(name, str(_store(path, store))) for name, path in paths.items()})


def bring_within_reach(request: RunRequest) -> None:
    """Let this process read the request's local data sets where they lie, so that it can be planned without copies."""
    if paths := _out_of_reach(request):
        roots = [*load_settings().dataset_roots, *(path.resolve().parent for path in paths.values())]
        os.environ["MAOS_DATASET_ROOTS"] = json.dumps([str(root) for root in roots])


def _datasets_of(request: RunRequest) -> tuple[str, ...]:
    if isinstance(request, AnalyzeDataRequest):
        return request.datasets
    if isinstance(request, RunWorkflowRequest):
        return tuple(given for _, _, given in sources_of(definition_of(request), request.inputs))
    if isinstance(request, CreateImageRequest):
        return request.references
    further = request.further_datasets if isinstance(request, GenerateReportRequest) else ()
    return (request.dataset, *further) if isinstance(request, DatasetRequest) else ()


def _renamed(request: RunRequest, names: dict[str, str]) -> RunRequest:
    if isinstance(request, AnalyzeDataRequest):
        datasets = tuple(names.get(dataset, dataset) for dataset in request.datasets)
        return request.model_copy(update={"datasets": datasets})
    if isinstance(request, RunWorkflowRequest):
        schema = definition_of(request).inputs
        inputs = with_texts(schema, request.inputs, SOURCES, lambda path: names.get(path, path))
        return request.model_copy(update={"inputs": inputs})
    if isinstance(request, CreateImageRequest):
        references = tuple(names.get(reference, reference) for reference in request.references)
        return request.model_copy(update={"references": references})
    if isinstance(request, DatasetRequest):
        first, *further = (names.get(dataset, dataset) for dataset in _datasets_of(request))
        return request.model_copy(
            update={"dataset": first, **({"further_datasets": tuple(further)} if further else {})}
        )
    return request


def _out_of_reach(request: RunRequest) -> dict[str, Path]:
    """Return the local files of a request that runs may not read where they lie, by the names it has for them."""
    roots = readable_roots(request.org, load_settings())
    paths = {name: Path(address_of(name).place) for name in _datasets_of(request) if "://" not in name}
    return {
        dataset: path
        for dataset, path in paths.items()
        if path.exists() and not any(path.resolve().is_relative_to(root) for root in roots)
    }


def _store(path: Path, folder: Path) -> Path:
    stored = folder / _digest_of(path)[:16] / path.resolve().name
    if not stored.exists():
        stored.parent.mkdir(parents=True, exist_ok=True)
        partial = stored.with_suffix(".partial")
        if path.is_dir():
            shutil.copytree(path, partial, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, partial)
        partial.replace(stored)
    return stored


def _digest_of(path: Path) -> str:
    """Return the SHA-256 of a file; of a folder, that of the names and digests of its files."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(each for each in path.rglob("*") if each.is_file())
    return digest_of([[each.relative_to(path).as_posix(), _digest_of(each)] for each in files])
