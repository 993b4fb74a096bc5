# One image for every process; what runs in it is the command of docker-compose.yml.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /koinx
COPY requirements.txt .
# Without requirements-servers.txt: in Docker each server has a container of its own.
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --create-home koinx \
    && install -d -o koinx -g koinx /koinx/var
COPY --from=build /venv /venv
WORKDIR /koinx
COPY celeryconfig.py pyproject.toml ./
COPY logs logs
COPY quota quota
COPY access access
COPY simulator simulator
COPY api_client api_client
COPY supervisor supervisor
COPY cli cli
COPY settings settings
COPY market market
COPY bridge bridge
COPY tasks tasks
COPY api api
COPY dash_ui dash_ui
# What the Docs page shows.
COPY README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md .env.example ./
COPY docs docs
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 KOINX_ENV_FILE=
USER koinx
VOLUME /koinx/var
EXPOSE 3000 8050
# Of the API. In docker-compose.yml each of the others has a check of its own.
HEALTHCHECK --interval=10s --timeout=5s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:3000/health', timeout=3)"]
CMD ["python", "-m", "granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "3000", "--workers", "2", "--blocking-threads", "512", "--http", "1", "--backpressure", "4096", "--http1-header-read-timeout", "5000", "--http1-buffer-size", "65536", "--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "10", "--log-config", "logs/granian.json", "--no-ws", "api.wsgi:app"]
