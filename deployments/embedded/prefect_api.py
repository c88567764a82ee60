"""Ask the Prefect server over HTTP, without the seconds that importing Prefect takes."""

import ssl

import httpx

_SECONDS = 5.0


def api_client(api_url: str, auth_string: str | None) -> httpx.Client:
    """Return a client whose paths are below the API's address."""
    user, _, password = (auth_string or "").partition(":")
    own = api_url.startswith("http://127.0.0.1")
    return httpx.Client(
        base_url=api_url,
        auth=(user, password) if auth_string else None,
        timeout=_SECONDS,
        # A proxy that is meant for the internet must not be asked for this machine.
        trust_env=not own,
        # Loading the authorities takes 50 ms of processor time, for nothing where there is no TLS.
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if own else True,
    )


def api_fault(client: httpx.Client) -> str | None:
    """Return what keeps the API from serving us, or nothing."""
    for path in ("/health", "/admin/version"):
        try:
            answer = client.get(path)
        except httpx.HTTPError as error:
            return f"does not answer: {error}"
        if answer.status_code != httpx.codes.OK:
            return f"answers {answer.status_code} to {path}"
    return None
