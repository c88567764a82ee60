"""Points Prefect at the configured server; must be called before Prefect is first imported."""

import os

from maos.settings import load_settings


def point_prefect_at_server() -> None:
    """Put the address and login of the configured Prefect server where Prefect looks for them."""
    settings = load_settings()
    if settings.prefect_api_url:
        os.environ["PREFECT_API_URL"] = settings.prefect_api_url
    if settings.prefect_api_auth_string:
        os.environ["PREFECT_API_AUTH_STRING"] = settings.prefect_api_auth_string.get_secret_value()
    if settings.prefect_api_ssl_cert_file:
        os.environ["PREFECT_API_SSL_CERT_FILE"] = settings.prefect_api_ssl_cert_file
    # One line on stderr is ours to write; Prefect's own log lines would stand between.
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    # The threads that send its events log under names of their own.
    os.environ.setdefault("PREFECT_LOGGING_ROOT_LEVEL", "ERROR")
