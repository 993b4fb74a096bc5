"""A coin's quotes as a CSV file, passed on from the API, which a browser may not reach."""

from collections.abc import Iterator

import requests
from flask import Flask, Response, request

CHUNK = 64 * 1024
SECONDS = 10
PASSED_ON = ("Content-Type", "Content-Disposition")


def add_download(server: Flask, api_url: str) -> None:
    """Serve `/coin-csv/<id>`, with the API's `include` and `from`; 502 if the API gives none."""

    @server.get("/coin-csv/<path:coin>")
    def coin_csv(coin: str) -> Response:
        query = {name: request.args[name] for name in ("include", "from") if name in request.args}
        session = requests.Session()
        session.trust_env = False
        try:
            answer = session.get(
                f"{api_url}/v1/quotes/export",
                params={"format": "csv", "coin": coin} | query,
                stream=True,
                timeout=SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException:
            session.close()
            return Response("The API does not answer: check ./koinx status.", 502)
        if answer.status_code != requests.codes.ok:
            with session:
                return Response(answer.text, 502, mimetype="text/plain")

        def body() -> Iterator[bytes]:
            with session:
                yield from answer.iter_content(CHUNK)

        headers = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        return Response(body(), headers=headers)
