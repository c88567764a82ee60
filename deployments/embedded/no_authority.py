"""Whom the Prefect clients of a stack trust for TLS: nobody, since its own API is plain HTTP on loopback.

Prefect loads a bundle of a hundred authorities for each client it makes, also for addresses without TLS. That is 50 ms
of processor time each, and a third of all that a short run costs. Vendors, mail servers and webhooks have other
clients, which this does not concern.
"""

from deployments.embedded.home import Home, write_private

# Of nobody: self-signed, not an authority, valid for one second, and its key was never written down.
_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBODCB36ADAgECAgEBMAoGCCqGSM49BAMCMB0xGzAZBgNVBAMMEm1hb3M6IG5v
IGF1dGhvcml0eTAeFw0yNjExMjAwMDAwMDBaFw0yNjExMjAwMDAwMDFaMB0xGzAZ
BgNVBAMMEm1hb3M6IG5vIGF1dGhvcml0eTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABJe8+B6Pw5QhN6gy3VLx+o7u2VBbP4D/fOLqKlNMVB3kzMO/vCNw4yXYWdeg
nNS8rf8+fxw5VHoQvja7nO+R72CjEDAOMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0E
AwIDSAAwRQIhANbpEt9fUyLQ43CLzj7enkMCkcRkA02F+/bqEXz8zFfUAiAn56Tq
KyFurQhkmakXKkUVMrxJbp+x9IsCj2Jz8ou1uw==
-----END CERTIFICATE-----
"""


def write_no_authority(home: Home) -> str:
    """Write the file for `PREFECT_API_SSL_CERT_FILE` and return its path."""
    write_private(home.no_authority, _CERTIFICATE)
    return str(home.no_authority)
