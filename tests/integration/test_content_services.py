"""The services of a text by themselves: what they refuse, and what they keep to themselves."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from docx import Document

from maos.content_plan import CheckParameters, PublishContentParameters
from maos.content_review import first_review
from maos.errors import EngineFailure, InputMismatch
from tasks.secrecy import keep_secret
from tasks.services.content import PAGE, TWIN, WORD, check_content, publish_content
from tasks.services.registry import ServiceCall
from tests.contents import brief, text
from tests.integration.test_effect_services import KEY, RUN

SECRET = "canary-of-a-source-4711"


def publishing(folder: Path, variant: int, **fields: Any) -> ServiceCall[PublishContentParameters]:
    known = brief(**fields)
    review = first_review(known, {1: text("It has 48 employees.")})
    inputs = {"brief": known.model_dump(mode="json"), "review": review.model_dump(mode="json")}
    return ServiceCall(PublishContentParameters(variant=variant), inputs, folder, RUN, KEY, 5.0, None)


def test_a_variant_that_there_is_not_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(InputMismatch, match="there is no 2; variants: 1"):
        publish_content(publishing(tmp_path, 2))


def test_a_known_secret_in_a_source_is_in_no_format(tmp_path: Path) -> None:
    keep_secret(SECRET)

    publish_content(publishing(tmp_path, 1, facts=[{"text": "It has 48 employees.", "source": f"Letter {SECRET}"}]))

    word = Document(BytesIO((tmp_path / WORD).read_bytes()))
    cells = [cell.text for row in word.tables[0].rows for cell in row.cells]
    texts = [(tmp_path / TWIN).read_text(), (tmp_path / PAGE).read_text(), *cells]
    assert any("48 employees" in each for each in cells)
    assert not any(SECRET in each for each in texts)


def test_publishing_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    first = publish_content(publishing(tmp_path, 1))

    assert publish_content(publishing(tmp_path, 1)) == first


def test_a_check_without_any_draft_fails(tmp_path: Path) -> None:
    inputs = {"brief": brief().model_dump(mode="json"), "text_1": None, "text_2": None}
    call = ServiceCall(CheckParameters(round=1, title="T"), inputs, tmp_path, RUN, KEY, 5.0, None)

    with pytest.raises(EngineFailure, match="there is no draft to check"):
        check_content(call)
