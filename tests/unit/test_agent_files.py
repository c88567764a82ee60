"""Files of an agent: no path leads out of their folder, whatever somebody has put into it."""

import os
from pathlib import Path

import pytest

from maos.errors import BadInput
from tasks.agent_tools.files import LONGEST_FILE_BYTES, MOST_FILES, Scratch

SECRET = "the other side"

HOSTILE = [
    "",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "../secret.txt",
    "notes/../../secret.txt",
    "notes/./../../secret.txt",
    "./notes.md",
    "notes/",
    "notes//first.md",
    "..\\secret.txt",
    "C:\\secret.txt",
    "notes\\first.md",
    "~/secret.txt/..",
    ".ssh/id",
    "notes/.hidden",
    "notes\x00.md",
    "\x00",
    "notes/first\n.md",
    "notes/\u202efirst.md",
    "...",
    "a/b/c/d/e/f/g.md",
    "x" * 101,
    "é" * 60,
    "\ud800.md",
]


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    (tmp_path / "secret.txt").write_text(SECRET)
    return Scratch(tmp_path / "files")


def _everything(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("path", HOSTILE)
def test_a_path_that_leads_anywhere_else_is_refused(scratch: Scratch, tmp_path: Path, path: str) -> None:
    for use in (
        lambda: scratch.read(path),
        lambda: scratch.write(path, "x"),
        lambda: scratch.edit(path, "the", "x"),
    ):
        with pytest.raises(BadInput, match="path"):
            use()

    assert _everything(tmp_path) == {"secret.txt": SECRET}


@pytest.mark.parametrize("make", ["file", "folder", "dangling", "loop"])
def test_no_link_is_followed(scratch: Scratch, tmp_path: Path, make: str) -> None:
    folder = tmp_path / "files"
    target = {"file": tmp_path / "secret.txt", "folder": tmp_path, "dangling": tmp_path / "new", "loop": folder / "l"}
    (folder / "l").symlink_to(target[make])

    for path in ("l", "l/secret.txt", "l/l"):
        with pytest.raises(BadInput):
            scratch.read(path)
    with pytest.raises(BadInput):
        scratch.write("l/secret.txt", "x")
    # A file takes the place of the link itself.
    scratch.write("l", "mine")

    assert (folder / "l").read_text() == "mine"
    assert not (folder / "l").is_symlink()
    assert (tmp_path / "secret.txt").read_text() == SECRET
    assert not (tmp_path / "new").exists()


def test_files_that_are_none_are_refused_at_once(scratch: Scratch, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    os.mkfifo(folder / "pipe")
    os.link(tmp_path / "secret.txt", folder / "hard")
    (folder / "folder").mkdir()
    (folder / "binary").write_bytes(b"\xff\xfe")
    with (folder / "huge").open("wb") as file:
        file.truncate(LONGEST_FILE_BYTES + 1)

    for name in ("pipe", "hard", "folder", "binary", "huge", "missing", "folder/missing"):
        with pytest.raises(BadInput):
            scratch.read(name)
    with pytest.raises(BadInput):
        scratch.write("folder", "x")
    assert "pipe" not in scratch.names()
    # Nothing is left of what was begun.
    assert [name for name in os.listdir(folder) if name.startswith(".")] == []


def test_sizes_and_numbers_have_an_end(scratch: Scratch) -> None:
    with pytest.raises(BadInput, match="at most 1000000 bytes"):
        scratch.write("a.md", "é" * (LONGEST_FILE_BYTES // 2 + 1))
    for number in range(MOST_FILES):
        scratch.write(f"f{number}", "x")
    with pytest.raises(BadInput, match="no room for more"):
        scratch.write("one-more", "x")
    scratch.write("f0", "replaced")

    assert scratch.read("f0") == "replaced"


def test_what_is_written_is_read_and_listed(scratch: Scratch) -> None:
    scratch.write("notes/erster Gedanke.md", "Grüße\n{{ x }}")
    scratch.write("b", "")

    assert scratch.read("notes/erster Gedanke.md") == "Grüße\n{{ x }}"
    assert scratch.names() == ["b", "notes/erster Gedanke.md"]


def test_a_passage_is_replaced_where_it_stands_once(scratch: Scratch) -> None:
    scratch.write("a", "one two two")
    scratch.edit("a", "one", "three")

    assert scratch.read("a") == "three two two"
    for old in ("two", "four"):
        with pytest.raises(BadInput, match="it stands"):
            scratch.edit("a", old, "five")
    # As a process does that comes back to a turn whose tools had been carried out.
    scratch.edit("a", "one", "three")
    assert scratch.read("a") == "three two two"
