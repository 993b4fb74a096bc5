"""Makes every Redis client verify certificate and host name.

redis-py, kombu and Celery's backend interpret the options of an address differently: their
defaults, the meaning of `none` and `CERT_NONE`, and the options that they know. So the settings
hold one spelling that all of them interpret alike.
"""

from urllib.parse import parse_qsl, urlencode, urlsplit

FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
VERIFIED = {
    "ssl_cert_reqs": ("required", "cert_required"),
    "ssl_check_hostname": ("true", "1", "yes"),
}


def verifying(url: str) -> str:
    """Returns an address with which every client verifies; ValueError if it asks for less."""
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    if parts.scheme == "redis" and any(name.startswith("ssl_") for name, _ in options):
        raise ValueError("an address that begins with rediss:// if it has TLS options")
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
            raise ValueError(f"an address whose TLS options are among {', '.join(FILES)}")
        else:
            kept.append((name, value))
    if parts.scheme == "rediss":
        kept.append(("ssl_cert_reqs", "required"))
    return parts._replace(query=urlencode(kept, safe="/")).geturl() if kept else url
