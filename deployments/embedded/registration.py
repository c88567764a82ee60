"""Tell the Prefect server what this project has: its work pool, block types and deployments."""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml
from prefect.blocks.core import Block
from prefect.cli import app as prefect_command
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.workers.process import ProcessWorker

import blocks
from deployments.embedded.prefect_settings import HOUSEKEEPING, RUN_COMMAND, WORK_POOL
from deployments.embedded.registry import PREFECT_FILE, Registry
from maos.errors import StackError

# These have a document of this name from the start, so that a run finds one; people fill it in.
_BLOCKS_WITH_DOCUMENT = ("claude-engine", "claude-command", "gemini-image-engine", "mail-server", "webhooks")
_DOCUMENT = "default"
# A command that begins so was set by us, one that does not by an operator.
_PYTHON = "python -m "


def register_project(digest: str, *, api_url: str) -> Registry:
    """Register everything and return what to look for at the next start."""
    _ensure_work_pool()
    _ensure_housekeeping_queue()
    documents = [path for block in _block_types() if (path := _register_block(block))]
    _deploy_all()
    names = [f"/deployments/name/{name}" for name in _deployment_names()]
    return Registry(digest=digest, api_url=api_url, paths=(f"/work_pools/{WORK_POOL}", *documents, *names))


def _ensure_work_pool() -> None:
    template = ProcessWorker.get_default_base_job_template()
    # Left out, the worker would start two more Python processes to find out where the flow's code is.
    template["variables"]["properties"]["command"]["default"] = RUN_COMMAND
    with get_client(sync_client=True) as client:
        try:
            pool = client.read_work_pool(WORK_POOL)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process", base_job_template=template))
            return
        if pool.type == "process" and _command_of(pool.base_job_template).startswith(_PYTHON):
            client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=template))


def _ensure_housekeeping_queue() -> None:
    """Let housekeeping go before the runs: the server hands a worker the first few of a long queue only."""
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_work_queue(HOUSEKEEPING, work_pool_name=WORK_POOL, priority=1)


def _command_of(template: dict[str, Any]) -> str:
    """Return the pool's command; one of ours, where it has none."""
    return template["variables"]["properties"].get("command", {}).get("default") or _PYTHON


def _block_types() -> Iterator[type[Block]]:
    """Yield the block classes that the modules of `blocks` define."""
    for module_info in pkgutil.walk_packages(blocks.__path__, f"{blocks.__name__}."):
        module = importlib.import_module(module_info.name)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Block) and value.__module__ == module.__name__:
                yield value


def _register_block(block: type[Block]) -> str | None:
    """Register a block type and return the path of its document, if it has one from the start."""
    block.register_type_and_schema()
    slug = block.get_block_type_slug()
    if slug not in _BLOCKS_WITH_DOCUMENT:
        return None
    try:
        block.load(_DOCUMENT)
    except ValueError:
        block().save(_DOCUMENT)
    return f"/block_types/slug/{slug}/block_documents/name/{_DOCUMENT}"


def _deploy_all() -> None:
    """Do exactly what an operator does by hand, in this process, which has Prefect loaded already."""
    sys.argv = ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(PREFECT_FILE)]
    try:
        prefect_command()
    except SystemExit as done:
        if done.code:
            raise StackError("bootstrap", "`prefect deploy --all` failed") from done


def _deployment_names() -> list[str]:
    configured = yaml.safe_load(PREFECT_FILE.read_text(encoding="utf-8"))["deployments"]
    return [f"{load_flow_from_entrypoint(each['entrypoint']).name}/{each['name']}" for each in configured]
