"""How data sets are fetched from a bucket: by an address that is signed for a while, as downloads of the web are."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from prefect_aws import S3Bucket

from blocks.dataset_downloads import DatasetDownloads, reason_of
from blocks.public_addresses import NotPublic
from maos.errors import BadInput

_REASONS = {
    301: "the bucket is in another region than its credentials name",
    307: "the bucket is in another region than its credentials name",
    400: "the request is refused; is the region of its credentials the bucket's?",
    403: "access is denied, or there is no such object",
    404: "there is no such object, or no such bucket",
}


def fetch_object(
    bucket: S3Bucket, key: str, target: Path, *, downloads: DatasetDownloads, allow_private: bool = False
) -> None:
    """Write an object into a file, within the limits of downloads.

    Raises:
        BadInput: when it cannot be fetched.
    """
    place = f"s3://{bucket.bucket_name}/{key}"
    with _refusing(place):
        url = _signed_address(bucket, key, seconds=int(downloads.timeout_seconds) + 1)
        authority = bucket.credentials.aws_client_parameters.verify_cert_path
        with downloads.get_client(allow_private=allow_private, authority=authority) as client:
            downloads.transfer(client, url, target, shown=place)


def _signed_address(bucket: S3Bucket, key: str, *, seconds: int) -> str:
    credentials = bucket.credentials
    parameters = credentials.aws_client_parameters
    # Unasked, older regions get a signature that encrypted buckets refuse.
    config = {"signature_version": "s3v4", **(parameters.config or {})}
    options = parameters.model_copy(update={"config": config}).get_params_override()
    if credentials.region_name:
        options["region_name"] = credentials.region_name
    client = credentials.get_boto3_session().client("s3", **options)
    asked = {"Bucket": bucket.bucket_name, "Key": key}
    return str(client.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds))


@contextmanager
def _refusing(place: str) -> Iterator[None]:
    """Turn what goes wrong into a refusal of the object; whatever could hold a signature or a key is left out."""
    try:
        yield
    except NotPublic:
        allowed = "an object on the public internet, unless MAOS_ALLOW_PRIVATE_DATASET_HOSTS allows private endpoints"
        raise BadInput("dataset", place, allowed) from None
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise _refusal(place, _REASONS.get(status, f"it answers {status}")) from None
    except httpx.HTTPError as error:
        raise _refusal(place, reason_of(error)) from None
    except (BotoCoreError, ClientError, ValueError, httpx.InvalidURL, ssl.SSLError) as error:
        reason = f"the block of the bucket cannot be used as it is: {type(error).__name__}"
        raise _refusal(place, reason) from None


def _refusal(place: str, reason: str) -> BadInput:
    return BadInput("dataset", place, f"an object that can be read ({reason})")
