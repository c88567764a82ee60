from uuid import UUID

import pytest

from maos.effects import Effect, EffectKind, effect_key

ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("effect", "parameters", "safe"),
    [
        (Effect(kind=EffectKind.EMAIL), {}, False),
        (Effect(kind=EffectKind.PUBLISH, repeatable=True), {}, True),
        (Effect(kind=EffectKind.WEBHOOK, repeatable_if="keyed"), {"keyed": True}, True),
        (Effect(kind=EffectKind.WEBHOOK, repeatable_if="keyed"), {"keyed": False}, False),
        (Effect(kind=EffectKind.WEBHOOK, repeatable_if="keyed"), {}, False),
        # Nothing but a plain yes is one.
        (Effect(kind=EffectKind.WEBHOOK, repeatable_if="keyed"), {"keyed": "no"}, False),
        (Effect(kind=EffectKind.WEBHOOK, repeatable_if="keyed"), {"keyed": 1}, False),
        (Effect(kind=EffectKind.WEBHOOK, repeatable=True, repeatable_if="keyed"), {"keyed": False}, True),
    ],
)
def test_an_effect_is_repeated_only_where_that_is_known_to_do_no_harm(
    effect: Effect, parameters: dict[str, object], safe: bool
) -> None:
    assert effect.repeats_safely(parameters) is safe


def test_every_attempt_of_a_step_has_the_same_key() -> None:
    assert effect_key(ONE, "send") == "maos-00000000-0000-0000-0000-000000000001-send"


def test_no_two_steps_share_a_key() -> None:
    keys = {effect_key(run, step) for run in (ONE, OTHER) for step in ("send", "send_2", "1_send")}

    assert len(keys) == 6
