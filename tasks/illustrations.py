"""Making the plan of pictures: the reference images have to be ones that the organisation may read."""

from maos.errors import BadInput
from maos.image_plan import image_plan
from maos.image_request import CreateImageRequest
from maos.plans import Plan
from maos.settings import load_settings
from tasks.reference_images import find_reference


def plan_images(request: CreateImageRequest) -> Plan:
    """Look at the reference images and return the plan of the pictures.

    Raises:
        BadInput: when a reference image cannot be read, or is named twice.
    """
    settings = load_settings()
    for position, file in enumerate(request.references):
        if file in request.references[:position]:
            raise BadInput("references", file, "each picture once")
    references = [find_reference(file, org=request.org, settings=settings) for file in request.references]
    return image_plan(request, references)
