"""The parameters of an action as a reviewer wants them: from options, from a file, or from an editor."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from console.output import at_terminal
from maos.actions import JsonObject
from maos.differences import all_same
from maos.errors import BadInput

_NOTHING = "a parameter that differs from what is asked now"


def edited_parameters(before: JsonObject, *, changes: Iterable[str], file: Path | None) -> JsonObject:
    """Return the parameters that change.

    Raises:
        BadInput: when it cannot be read, or changes nothing.
    """
    given = (_of_file(file) if file else {}) | dict(_of_option(change, before) for change in changes)
    source = "--set" if given or not at_terminal() else "editor"
    wanted = given if given or file or source == "--set" else _of_editor(before)
    changed = {
        name: value for name, value in wanted.items() if name not in before or not all_same([before[name], value])
    }
    if not changed:
        raise BadInput(source, "", _NOTHING)
    return changed


def _of_option(change: str, before: JsonObject) -> tuple[str, Any]:
    name, separator, text = change.partition("=")
    if not separator or name not in before:
        raise BadInput("--set", change, f"NAME=JSON, of one of {', '.join(before) or 'no parameters'}")
    try:
        return name, json.loads(text)
    except ValueError:
        raise BadInput("--set", change, f"JSON; a text in quotation marks: '{name}=\"…\"'") from None


def _of_file(file: Path) -> JsonObject:
    try:
        return _object_of(file.read_text(encoding="utf-8"), "--file")
    except OSError as error:
        raise BadInput("--file", str(file), f"a readable JSON file ({error})") from None


def _of_editor(before: JsonObject) -> JsonObject:
    text = click.edit(json.dumps(before, indent=2, ensure_ascii=False) + "\n", extension=".json")
    if text is None:
        return {}
    edited = _object_of(text, "editor")
    if missing := sorted(before.keys() - edited.keys()):
        raise BadInput("editor", f"without {', '.join(missing)}", "every parameter; one cannot be left out")
    return edited


def _object_of(text: str, source: str) -> JsonObject:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadInput(source, text[:200], f"JSON ({error})") from None
    if not isinstance(found, dict):
        raise BadInput(source, text[:200], "a JSON object with parameters")
    return found
