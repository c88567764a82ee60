"""Data sets of a bucket, from a server that refuses what is not signed: by an organisation's own block only."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from nanio.app import build_app
from nanio.auth.credentials import StaticCredentialResolver
from nanio.config import Settings as ServerSettings
from prefect_aws import AwsCredentials, MinIOCredentials, S3Bucket
from prefect_aws.client_parameters import AwsClientParameters

from blocks.dataset_buckets import fetch_object
from blocks.dataset_downloads import DatasetDownloads
from maos.errors import BadInput
from maos.settings import Settings
from tasks.datasets import inspect_dataset
from tasks.joined_files import inspect_files
from tasks.secrecy import redaction

TABLE = b"region,revenue\nNorth,10\nSouth,20\n"
KEY, SECRET = "AKIAEXAMPLE", "a-secret-that-nobody-reads"
OBJECTS = {
    "demo/sales.csv": TABLE,
    "demo/deep/feb.csv": b"revenue,region\n5,West\n",
    "demo/\u00dcber uns (1)+&~.csv": TABLE,
    "other/sales.csv": b"region,revenue\nSecret,1\n",
    "demographics/sales.csv": TABLE,
    "demo/large.csv": TABLE * 100,
}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = ServerSettings(
        data_dir=tmp_path_factory.mktemp("buckets"), credentials=StaticCredentialResolver({KEY: SECRET})
    )
    server = uvicorn.Server(uvicorn.Config(build_app(settings), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    client = credentials_of(address).get_s3_client()
    client.create_bucket(Bucket="warehouse")
    for key, content in OBJECTS.items():
        client.put_object(Bucket="warehouse", Key=key, Body=content)
    yield address
    server.should_exit = True
    thread.join(10)


def credentials_of(endpoint: str, secret: str = SECRET) -> AwsCredentials:
    return AwsCredentials(
        aws_access_key_id=KEY,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        aws_client_parameters=AwsClientParameters(endpoint_url=endpoint),
    )


def bucket_of(endpoint: str, *, folder: str = "demo", name: str = "warehouse", secret: str = SECRET) -> S3Bucket:
    return S3Bucket(bucket_name=name, bucket_folder=folder, credentials=credentials_of(endpoint, secret))


@pytest.fixture
def private(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", allow_private_dataset_hosts=True)


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> dict[str, S3Bucket]:
    """The blocks that Prefect would know, by organisation."""
    known = {"demo": bucket_of(endpoint), "other": bucket_of(endpoint, folder="/other/")}

    def load(org: str) -> S3Bucket:
        if org not in known:
            raise ValueError(f"no block for {org}")
        return known[org]

    monkeypatch.setattr("tasks.dataset_buckets.dataset_bucket", load)
    return known


def refused(dataset: str, settings: Settings, org: str = "demo") -> BadInput:
    with pytest.raises(BadInput) as error:
        inspect_dataset(dataset, org=org, settings=settings)
    assert error.value.field == "dataset"
    assert SECRET not in str(error.value)
    assert KEY not in str(error.value)
    assert "X-Amz" not in str(error.value)
    return error.value


def test_the_server_refuses_whoever_does_not_sign(endpoint: str) -> None:
    assert httpx.get(f"{endpoint}/warehouse/demo/sales.csv").status_code == 403


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("key", ["demo/sales.csv", "demo/\u00dcber uns (1)+&~.csv"])
def test_an_object_of_the_organisations_folder_is_read(private: Settings, key: str) -> None:
    facts = inspect_dataset(f"s3://warehouse/{key}", org="demo", settings=private)

    assert (facts.row_count, facts.size, facts.column("revenue").maximum) == (2, len(TABLE), "20")
    assert (facts.source, facts.display_name) == (f"s3://warehouse/{key}", f"s3://warehouse/{key}")


@pytest.mark.usefixtures("blocks")
def test_objects_are_files_like_others_of_a_report(private: Settings) -> None:
    datasets = ("s3://warehouse/demo/sales.csv", "s3://warehouse/demo/deep/feb.csv")

    facts = inspect_files(datasets, org="demo", settings=private)

    assert (facts.row_count, facts.column("revenue").minimum, facts.column("region").distinct) == (3, "5", 3)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(
    "dataset",
    [
        "s3://warehouse/other/sales.csv",
        "s3://warehouse/demo/../other/sales.csv",
        "s3://warehouse/demo/./../other/sales.csv",
        "s3://warehouse/demo//../other/sales.csv",
        "s3://warehouse/demographics/sales.csv",
        "s3://warehouse/demo",
        "s3://warehouse/demo/",
        "s3://warehouse/",
        "s3://warehouse",
        "s3://elsewhere/demo/sales.csv",
        "s3:///demo/sales.csv",
        "s3://warehouse/demo/a\nb.csv",
        "s3://warehouse/demo/..\\other/sales.csv",
        "S3://warehouse/../warehouse/other/sales.csv",
    ],
)
def test_what_lies_outside_of_the_folder_is_refused_unasked(private: Settings, dataset: str) -> None:
    assert refused(dataset, private).allowed == "an object like s3://warehouse/demo/orders.csv"


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("key", ["demo/%2e%2e/other/sales.csv", "demo/..%2fother/sales.csv"])
def test_a_key_is_taken_by_the_letter(private: Settings, key: str) -> None:
    assert "there is no such object" in refused(f"s3://warehouse/{key}", private).allowed


@pytest.mark.usefixtures("blocks")
def test_no_organisation_reads_by_the_block_of_another(private: Settings) -> None:
    facts = inspect_dataset("s3://warehouse/other/sales.csv", org="other", settings=private)
    assert facts.row_count == 1

    assert refused("s3://warehouse/other/sales.csv", private, org="demo")
    assert refused("s3://warehouse/demo/sales.csv", private, org="other")
    nobody = refused("s3://warehouse/demo/sales.csv", private, org="third")
    assert nobody.allowed.endswith("s3 addresses need a block S3 Bucket named datasets-third")


@pytest.mark.parametrize(
    ("change", "dataset", "reason"),
    [
        ({}, "s3://warehouse/demo/missing.csv", "there is no such object, or no such bucket"),
        ({"name": "nowhere"}, "s3://nowhere/demo/sales.csv", "there is no such object, or no such bucket"),
        ({"secret": "another-secret"}, "s3://warehouse/demo/sales.csv", "access is denied"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(
    private: Settings, blocks: dict[str, S3Bucket], endpoint: str, change: dict[str, str], dataset: str, reason: str
) -> None:
    blocks["demo"] = bucket_of(endpoint, **change)

    assert reason in refused(dataset, private).allowed


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "not an address"])
def test_an_endpoint_that_cannot_be_used_is_refused(
    private: Settings, blocks: dict[str, S3Bucket], address: str
) -> None:
    blocks["demo"] = bucket_of(address)

    assert refused("s3://warehouse/demo/sales.csv", private).allowed.startswith("an object that can be read (")


@pytest.mark.usefixtures("blocks")
def test_a_private_endpoint_is_not_even_asked_unless_it_is_allowed(private: Settings) -> None:
    strict = private.model_copy(update={"allow_private_dataset_hosts": False})

    assert "unless MAOS_ALLOW_PRIVATE_DATASET_HOSTS" in refused("s3://warehouse/demo/sales.csv", strict).allowed


def test_the_limits_of_downloads_hold(endpoint: str, tmp_path: Path) -> None:
    downloads = DatasetDownloads(max_bytes=1000)

    with pytest.raises(BadInput, match="a file of at most 1,000 bytes") as error:
        fetch_object(bucket_of(endpoint), "demo/large.csv", tmp_path / "x", downloads=downloads, allow_private=True)
    assert error.value.value == "s3://warehouse/demo/large.csv"


def test_a_server_of_ones_own_is_read_by_its_own_kind_of_credentials(endpoint: str, tmp_path: Path) -> None:
    credentials = MinIOCredentials(
        minio_root_user=KEY,
        minio_root_password=SECRET,
        aws_client_parameters=AwsClientParameters(endpoint_url=endpoint),
    )
    bucket = S3Bucket(bucket_name="warehouse", credentials=credentials)

    fetch_object(bucket, "demo/sales.csv", tmp_path / "x", downloads=DatasetDownloads(), allow_private=True)

    assert (tmp_path / "x").read_bytes() == TABLE


@pytest.mark.usefixtures("prefect_api")
def test_the_block_of_an_organisation_is_the_one_named_after_it(endpoint: str, private: Settings) -> None:
    bucket_of(endpoint).save("datasets-demo", overwrite=True)

    assert inspect_dataset("s3://warehouse/demo/sales.csv", org="demo", settings=private).row_count == 2
    assert "named datasets-other" in refused("s3://warehouse/other/sales.csv", private, org="other").allowed
    # From here on, no text of this process lets the secret out.
    assert SECRET not in redaction().without_secrets(f"the secret is {SECRET}")
