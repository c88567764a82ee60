"""Pictures of our blocks in the Prefect UI: those that Prefect's own blocks have."""

from pydantic import HttpUrl

_FOLDER = (
    "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9/assets/block-logos"
)

KEY = HttpUrl(f"{_FOLDER}/secret.png")
MAIL = HttpUrl(f"{_FOLDER}/email.png")
CALL = HttpUrl(f"{_FOLDER}/webhook.png")
FILES = HttpUrl(f"{_FOLDER}/filesystem.png")
