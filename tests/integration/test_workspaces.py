"""What a workspace begins with, and what of it is kept, whatever a program has done to it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from maos.errors import EngineFailure
from maos.failures import FailureKind
from tasks.workspaces import Workspace

SECRET = "the-key"
GIVEN = {"src/old.txt": b"old", "same.txt": b"same", "gone.txt": b"soon"}


def workspace(folder: Path) -> Workspace:
    return Workspace(folder / "run", "work", GIVEN)


def test_what_is_new_or_changed_is_kept_and_the_rest_is_removed(tmp_path: Path) -> None:
    with workspace(tmp_path) as made:
        (made.folder / "src/old.txt").write_text("new")
        (made.folder / "added.md").write_text("added")
        (made.folder / "gone.txt").unlink()
        kept, gone = made.keep_changes(secret=SECRET)

    assert [(file.name, file.media_type) for file in kept] == [
        ("workspaces/work/added.md", "text/markdown"),
        ("workspaces/work/src/old.txt", "text/plain"),
    ]
    assert gone == ("gone.txt",)
    assert (tmp_path / "run/workspaces/work/src/old.txt").read_text() == "new"
    assert not made.folder.exists()
    assert not made.home.exists()


def test_what_a_killed_process_has_left_is_gone_at_the_next_try(tmp_path: Path) -> None:
    killed = workspace(tmp_path)
    killed.__enter__()
    (killed.folder / "half.txt").write_text("half")

    with workspace(tmp_path) as made:
        assert sorted(path.name for path in made.folder.rglob("*") if path.is_file()) == [
            "gone.txt",
            "old.txt",
            "same.txt",
        ]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / "link.txt").symlink_to("/etc/passwd"), "link.txt: it is neither a file nor a folder"),
        (lambda folder: (folder / "link").symlink_to("/etc"), "link: it is neither"),
        (lambda folder: os.mkfifo(folder / "pipe"), "pipe: it is neither"),
        (lambda folder: os.link(folder / "same.txt", folder / "twin.txt"), "it has more than one name"),
        (lambda folder: (folder / "large.bin").open("wb").truncate(10_000_001), "a file of 10,000,001 bytes"),
        (lambda folder: [(folder / str(number)).touch() for number in range(201)], "files; at most 200 are taken"),
        (
            lambda folder: [(folder / f"{number}.bin").open("wb").truncate(9_000_000) for number in range(6)],
            "at most 50,000,000 are taken",
        ),
        (lambda folder: (folder / "notes\u202e.md").touch(), "characters that can be seen"),
        (lambda folder: (folder / "leak.txt").write_text(f"key: {SECRET}"), "leak.txt holds the key"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_kept(
    tmp_path: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    with workspace(tmp_path) as made:
        (made.folder / "added.md").write_text("added")
        spoil(made.folder)
        with pytest.raises(EngineFailure) as caught:
            made.keep_changes(secret=SECRET)

    assert caught.value.kind is FailureKind.UNUSABLE_OUTPUT
    assert reason in caught.value.detail
    assert not (tmp_path / "run/workspaces").exists()
    assert not made.folder.exists()


def test_a_folder_that_was_put_in_its_place_is_not_read(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.txt").write_text("of somebody else")
    with workspace(tmp_path) as made:
        (made.folder / "added.md").write_text("added")
        made.folder.rename(made.folder.with_name("moved"))
        made.folder.symlink_to(elsewhere)
        kept, _ = made.keep_changes(secret=SECRET)

    assert [file.name for file in kept] == ["workspaces/work/added.md"]
    assert (elsewhere / "secret.txt").read_text() == "of somebody else"


def test_folders_that_were_closed_are_removed_all_the_same(tmp_path: Path) -> None:
    with workspace(tmp_path) as made:
        (made.folder / "src").chmod(0)
        made.folder.chmod(0)

    assert not made.folder.exists()
