import pytest

from maos.autonomy import AutonomyLevel, needs_approval, stricter
from maos.risk import RiskLevel


@pytest.mark.parametrize("level", AutonomyLevel)
def test_critical_actions_always_wait_for_a_person(level: AutonomyLevel) -> None:
    assert needs_approval(level, RiskLevel.CRITICAL)


@pytest.mark.parametrize(
    ("level", "waiting"),
    [
        (AutonomyLevel.SUPERVISED, {"low", "medium", "high", "critical"}),
        (AutonomyLevel.SEMI_AUTONOMOUS, {"medium", "high", "critical"}),
        (AutonomyLevel.AUTONOMOUS, {"critical"}),
    ],
)
def test_each_level_makes_exactly_these_risks_wait(level: AutonomyLevel, waiting: set[str]) -> None:
    assert {risk.value for risk in RiskLevel if needs_approval(level, risk)} == waiting


@pytest.mark.parametrize("risk", RiskLevel)
def test_a_read_only_exemption_covers_low_risk_alone(risk: RiskLevel) -> None:
    waits = needs_approval(AutonomyLevel.SUPERVISED, risk, read_only=True, read_only_exempt=True)

    assert waits is (risk is not RiskLevel.LOW)


def test_the_stricter_of_two_levels_lets_less_run() -> None:
    assert stricter(AutonomyLevel.AUTONOMOUS, AutonomyLevel.SUPERVISED) is AutonomyLevel.SUPERVISED
    assert stricter(AutonomyLevel.SEMI_AUTONOMOUS, AutonomyLevel.AUTONOMOUS) is AutonomyLevel.SEMI_AUTONOMOUS
