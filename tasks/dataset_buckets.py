"""Objects of the one bucket, and the one folder in it, that an organisation may read."""

from pathlib import Path

from blocks.dataset_buckets import fetch_object
from blocks.dataset_downloads import DatasetDownloads
from maos.dataset_addresses import key_within
from maos.errors import BadInput
from maos.settings import Settings
from tasks.connections import bucket_block, dataset_bucket


def fetch_from_bucket(place: str, target: Path, *, org: str, settings: Settings) -> None:
    """Write an object of an organisation's bucket into a file.

    Raises:
        BadInput: when the organisation may not read it, or it cannot be fetched.
    """
    try:
        bucket = dataset_bucket(org)
    except ValueError:
        allowed = f"a path or an http(s) address; s3 addresses need a block S3 Bucket named {bucket_block(org)}"
        raise BadInput("dataset", place, allowed) from None
    # By what the operator opened to the organisation, not by what its credentials would reach.
    key = key_within(place, bucket=bucket.bucket_name, folder=bucket.bucket_folder)
    fetch_object(bucket, key, target, downloads=DatasetDownloads(), allow_private=settings.allow_private_dataset_hosts)
