"""What `generate_content` may be asked."""

from pydantic import Field

from maos.content_brief import Brief
from maos.requests import RunRequest

MOST_VARIANTS = 5


class GenerateContentRequest(RunRequest):
    """Ask for a text that states what is given, and nothing else."""

    brief: Brief = Field(title="Brief", description="For whom, how long, from which facts.")
    variants: int = Field(
        default=1,
        title="Variants",
        description="How many versions to choose from when it is released.",
        ge=1,
        le=MOST_VARIANTS,
    )
