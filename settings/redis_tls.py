"""TLS to Redis: certificate and host name are verified, whoever opens the connection.

redis-py, kombu and Celery's backend each read the address's options their own way: what is not
given, what `none` and `CERT_NONE` mean, and which options they know differ. So one spelling that
all of them read alike is what the settings hold.
"""

from urllib.parse import parse_qsl, urlencode, urlsplit

FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
VERIFIED = {
    "ssl_cert_reqs": ("required", "cert_required"),
    "ssl_check_hostname": ("true", "1", "yes"),
}


def verifying(url: str) -> str:
    """The address such that every client verifies; ValueError where it asks for less."""
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    if parts.scheme == "redis" and any(name.startswith("ssl_") for name, _ in options):
        raise ValueError("an address that begins with rediss:// where it has options of TLS")
    kept = []
    for name, value in options:
        if name in VERIFIED:
            if value.lower() not in VERIFIED[name]:
                raise ValueError(
                    f"an address without {name}: the certificate of a rediss:// server is always "
                    "verified. For one of your own, name its authority: "
                    "?ssl_ca_certs=/path/to/ca.pem"
                )
        elif name.startswith("ssl_") and name not in FILES:
            raise ValueError(f"an address whose options of TLS are among {', '.join(FILES)}")
        else:
            kept.append((name, value))
    if parts.scheme == "rediss":
        kept.append(("ssl_cert_reqs", "required"))
    return parts._replace(query=urlencode(kept, safe="/")).geturl() if kept else url
