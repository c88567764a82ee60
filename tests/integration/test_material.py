"""The material of workflows: which files of a folder are read, what is said of the others, what is refused."""

from pathlib import Path
from typing import Any

import pytest

from maos.errors import BadInput, EngineFailure
from maos.settings import Settings, load_settings
from maos.workflow_text import parse_workflow
from maos.workflows import TakeMaterialParameters
from tasks.material import MOST_FILES, MOST_TOLD_BYTES, content_of, find_material

DEFINITION = parse_workflow(
    "name: small\ntitle: Small\ngoal: Do it.\noutput: {type: object}\ninputs: {type: object, properties: {"
    "folder: {type: string, format: folder}, file: {type: string, format: file}, table: {type: string, format: table},"
    "many: {type: array, items: {type: string, format: file}}}}\n"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    root = tmp_path / "root"
    root.mkdir()
    return load_settings().model_copy(update={"dataset_roots": [root], "home": tmp_path / "home"})


@pytest.fixture
def root(settings: Settings) -> Path:
    return settings.dataset_roots[0]


def find(settings: Settings, **inputs: Any) -> TakeMaterialParameters:
    return find_material(DEFINITION, inputs, org="demo", settings=settings)


def test_of_a_folder_every_text_is_read_and_what_is_none_is_named(root: Path, settings: Settings) -> None:
    (root / "papers" / "deep").mkdir(parents=True)
    (root / "papers" / "b.md").write_text("b")
    (root / "papers" / "deep" / "a.txt").write_text("\ufeffa")
    (root / "papers" / "empty.md").write_text("  \n")
    (root / "papers" / "latin.txt").write_bytes("Gr\xfc\xdfe".encode("latin-1"))
    (root / "papers" / "null.txt").write_bytes(b"a\x00b")
    (root / "papers" / ".hidden").write_text("x")

    found = find(settings, folder="papers")

    assert [(file.name, file.told, file.source) for file in found.files] == [
        ("b.md", True, "folder"),
        ("deep/a.txt", True, "folder"),
    ]
    assert {left.name: left.reason for left in found.left_out} == {
        "empty.md": "it is empty",
        "latin.txt": "it is not UTF-8",
        "null.txt": "it is no text",
    }


def test_files_of_one_name_are_told_apart_and_tables_are_not_told(root: Path, settings: Settings) -> None:
    for folder in ("one", "other"):
        (root / folder).mkdir()
        (root / folder / "read.me.md").write_text(folder)

    found = find(settings, many=["one/read.me.md", "other/read.me.md"], table="one/read.me.md")

    assert [(file.source, file.name, file.told) for file in found.files] == [
        ("many[1]", "read.me.md", True),
        ("many[2]", "read.me-2.md", True),
        ("table", "read.me-3.md", False),
    ]


def test_no_link_leads_out(root: Path, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (root / "papers").mkdir()
    (root / "papers" / "own.txt").write_text("own")
    (root / "papers" / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "outside").symlink_to(tmp_path)

    assert [file.name for file in find(settings, folder="papers").files] == ["own.txt"]
    for inputs in ({"file": "papers/link.txt"}, {"folder": "outside"}, {"file": str(tmp_path / "secret.txt")}):
        with pytest.raises(BadInput, match=r"that exists|under"):
            find(settings, **inputs)


@pytest.mark.parametrize("name", ["", "\x00", "../root", "nothing.txt", "x" * 5000])
def test_what_is_no_file_is_refused(root: Path, settings: Settings, name: str) -> None:  # noqa: ARG001
    with pytest.raises(BadInput):
        find(settings, file=name)


def test_there_is_no_more_to_read_than_an_agent_can_be_told(root: Path, settings: Settings) -> None:
    (root / "long.txt").write_text("x" * MOST_TOLD_BYTES)
    (root / "many").mkdir()
    for number in range(MOST_FILES + 1):
        (root / "many" / f"{number}.txt").write_text("x")

    with pytest.raises(BadInput, match="bytes of documents in all"):
        find(settings, file="long.txt")
    with pytest.raises(BadInput, match=f"1 to {MOST_FILES} files"):
        find(settings, folder="many")


def test_a_file_that_has_changed_since_the_plan_is_not_read(root: Path, settings: Settings) -> None:
    (root / "a.txt").write_text("before")
    (file,) = find(settings, file="a.txt").files
    assert content_of(file, org="demo", settings=settings) == b"before"

    (root / "a.txt").write_text("after")
    with pytest.raises(EngineFailure, match="has changed since the plan was made"):
        content_of(file, org="demo", settings=settings)

    (root / "a.txt").unlink()
    with pytest.raises(EngineFailure, match="is gone"):
        content_of(file, org="demo", settings=settings)
    with pytest.raises(EngineFailure, match="do not read"):
        content_of(file.model_copy(update={"path": "/etc/hostname"}), org="demo", settings=settings)
