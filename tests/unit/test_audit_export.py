import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from maos.audit import COLUMNS, document_hash
from maos.audit_export import Header, check_export, export_lines, header_of
from maos.canonical import canonical_json
from tests.audit_chain import ORG, chain

DOCS = Path(__file__).parent.parent.parent / "docs" / "audit.md"
ROWS = chain(6, old=2)


def _exported(first: int = 1, last: int = 6) -> list[bytes]:
    before = ROWS[first - 2][1] if first > 1 else "0" * 64
    header = header_of("demo", ORG, first=first, last=last, previous_hash=before)
    return list(export_lines(header, ROWS[first - 1 : last]))


def _fault(lines: list[bytes], known_head: str | None = None) -> tuple[str, str] | None:
    finding = check_export(lines, known_head=known_head).finding
    return (finding.place, finding.reason) if finding else None


def _with(line: bytes, **changes: object) -> bytes:
    return f"{canonical_json(json.loads(line) | changes)}\n".encode()


def _without(line: bytes, name: str) -> bytes:
    kept = {key: value for key, value in json.loads(line).items() if key != name}
    return f"{canonical_json(kept)}\n".encode()


@pytest.mark.parametrize(("first", "last"), [(1, 6), (3, 6), (2, 4), (6, 6)])
def test_an_export_of_a_chain_or_of_a_stretch_of_it_holds(first: int, last: int) -> None:
    checked = check_export(_exported(first, last), known_head=ROWS[last - 1][1])

    assert checked.finding is None
    assert (checked.rows, checked.head) == (last - first + 1, ROWS[last - 1][1])
    assert checked.header == Header(
        org="demo", org_id=str(ORG), first=first, last=last, previous_hash=_previous_hash(first)
    )


def _previous_hash(first: int) -> str:
    return str(ROWS[first - 1][0]["previous_hash"])


@pytest.mark.parametrize("row", [2, 5])
@pytest.mark.parametrize("name", [*COLUMNS, "row_hash"])
def test_a_change_of_any_column_is_found_in_its_row(row: int, name: str) -> None:
    lines = _exported()
    lines[row] = _with(lines[row], **{name: 99 if name in {"sequence", "policy_version"} else "f" * 64})

    assert (_fault(lines) or ("", ""))[0] == f"row {row}"


@pytest.mark.parametrize("name", sorted(json.loads(_exported()[5])))
def test_a_removed_column_is_found_in_its_row(name: str) -> None:
    lines = _exported()
    lines[5] = _without(lines[5], name)

    assert (_fault(lines) or ("", ""))[0] == "row 5"


@pytest.mark.parametrize(
    "name", sorted(name for name, value in json.loads(_exported()[5]).items() if value is not None)
)
def test_a_column_set_to_null_is_found_in_its_row(name: str) -> None:
    lines = _exported()
    lines[5] = _with(lines[5], **{name: None})

    assert (_fault(lines) or ("", ""))[0] == "row 5"


def test_rows_that_are_gone_or_stand_elsewhere_are_found() -> None:
    whole = _exported()

    assert _fault(whole[:3] + whole[4:]) == ("row 3", "row 3 is missing; row 4 follows")
    assert _fault(whole[:6] + whole[7:]) == ("row 6", "it is missing; the header says the last is 6")
    assert _fault([*whole[:3], whole[4], whole[3], *whole[5:]]) == ("row 3", "row 3 is missing; row 4 follows")
    assert _fault([*whole[:4], whole[3], *whole[4:]]) == ("row 4", "row 4 is missing; row 3 follows")
    assert _fault(whole[:5]) == ("row 5", "the file ends here, without a footer")
    assert _fault(whole[1:]) is not None
    assert _fault([*whole, whole[1]]) == ("footer", "something follows it")
    assert _fault([]) == ("header", "line: Invalid JSON: EOF while parsing a value at line 1 column 0")


def test_a_stretch_does_not_hold_on_another_row() -> None:
    lines = _exported(3, 6)
    lines[0] = _with(lines[0], previous_hash="f" * 64)

    assert _fault(lines) == ("row 3", "the row does not follow the one before it")


@pytest.mark.parametrize("name", ["rows", "head", "sha256"])
def test_a_changed_footer_is_found(name: str) -> None:
    lines = _exported()
    lines[-1] = _with(lines[-1], **{name: 5 if name == "rows" else "f" * 64})

    assert (_fault(lines) or ("", ""))[0] == "footer"


@pytest.mark.parametrize("changes", [{"org": "other"}, {"org_id": "other"}, {"version": 2}, {"last": 7}, {"more": 1}])
def test_a_changed_header_is_found(changes: dict[str, object]) -> None:
    lines = _exported()
    lines[0] = _with(lines[0], **changes)

    assert _fault(lines) is not None


def test_a_mended_footer_is_found_by_a_head_that_was_noted_elsewhere() -> None:
    noted = ROWS[-1][1]
    mended = _exported(1, 5)

    assert _fault(mended) is None
    assert (_fault(mended, noted) or ("", ""))[0] == "footer"
    assert _fault(_exported(), noted) is None


def test_a_chain_that_was_written_anew_is_found_by_a_head_that_was_noted_elsewhere() -> None:
    forged, previous = [], "0" * 64
    for document, _ in ROWS:
        changed = {**document, "actor": "forged", "previous_hash": previous}
        previous = document_hash(changed)
        forged.append((changed, previous))
    header = header_of("demo", ORG, first=1, last=6, previous_hash="0" * 64)

    assert _fault(list(export_lines(header, forged))) is None
    assert _fault(list(export_lines(header, forged)), ROWS[-1][1]) is not None


def test_a_row_in_other_words_of_json_is_not_taken_for_the_row() -> None:
    whole = _exported()
    twice = whole[3].replace(b'{"action":', b'{"action":"harmless","action":')

    for line in (twice, whole[3].replace(b":", b": ", 1), whole[3].replace(b'"sequence":3', b'"sequence":3.0')):
        assert line != whole[3]
        assert (_fault([*whole[:3], line, *whole[4:]]) or ("", ""))[0] == "row 3"


def test_two_hundred_random_changes_are_found() -> None:
    chance = random.Random(5)  # noqa: S311 - chance, not secrecy
    whole = b"".join(_exported())
    for _ in range(200):
        at = chance.randrange(len(whole))
        changed = bytearray(whole)
        if chance.random() < 0.3:
            del changed[at : at + chance.randrange(1, 200)]
        else:
            changed[at] = chance.choice([byte for byte in range(256) if byte != whole[at]])

        assert _fault(bytes(changed).splitlines(keepends=True)) is not None, (at, bytes(changed[at - 20 : at + 20]))


def _script() -> str:
    text = DOCS.read_text()
    return text.partition("```python\n")[2].partition("```")[0]


def _verified_by_a_stranger(lines: list[bytes], folder: Path) -> bool:
    (folder / "export.jsonl").write_bytes(b"".join(lines))
    (folder / "verify.py").write_text(_script())
    alone = [sys.executable, "-I", "-S", "verify.py", "export.jsonl"]
    return subprocess.run(alone, cwd=folder, capture_output=True, check=False).returncode == 0


def test_the_script_of_the_docs_verifies_an_export_with_the_standard_library_alone(tmp_path: Path) -> None:
    whole = _exported()

    assert len([line for line in _script().splitlines() if line]) <= 15
    assert _verified_by_a_stranger(whole, tmp_path)
    assert _verified_by_a_stranger(_exported(3, 5), tmp_path)
    assert not _verified_by_a_stranger([*whole[:2], _with(whole[2], summary="forged"), *whole[3:]], tmp_path)
    assert not _verified_by_a_stranger([*whole[:5], _with(whole[5], error=None), *whole[6:]], tmp_path)
    assert not _verified_by_a_stranger(whole[:4] + whole[5:], tmp_path)
    assert not _verified_by_a_stranger(whole[:6] + whole[7:], tmp_path)
    assert not _verified_by_a_stranger(whole[:-1], tmp_path)
