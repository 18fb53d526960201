# One image for the code server, the webserver, the daemon and the API.
FROM python:3.13.7-slim-bookworm AS build
WORKDIR /src
COPY requirements.txt ./
# Everything that is pinned, its hashes checked; what the pipeline needs of it is taken below.
RUN python -m pip download --quiet --no-cache-dir --require-hashes --no-deps -r requirements.txt -d /packages
COPY pyproject.toml README.md LICENSE dagster.yaml workspace.yaml ./
COPY sql sql
COPY c360_graph c360_graph
RUN python -m venv /opt/c360 \
    && /opt/c360/bin/pip install --quiet --no-cache-dir --no-index --find-links /packages '.[celery,k8s,serve]' \
    && /opt/c360/bin/pip uninstall --quiet --yes pip

FROM python:3.13.7-slim-bookworm
RUN groupadd --gid 10001 c360 \
    && useradd --uid 10001 --gid c360 --no-create-home --home-dir /var/lib/c360 c360 \
    && install -d -m 0700 -o c360 -g c360 /var/lib/c360 \
        /var/lib/c360/data /var/lib/c360/dagster /var/lib/c360/dagster/storage
COPY --from=build /opt/c360 /opt/c360
COPY --chown=c360:c360 dagster.yaml docker/workspace.yaml /var/lib/c360/dagster/
ENV PATH=/opt/c360/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/var/lib/c360/dagster \
    C360_DATA_DIR=/var/lib/c360/data
WORKDIR /var/lib/c360/dagster
USER 10001:10001
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=4 \
    CMD ["dagster", "api", "grpc-health-check", "--port", "4000"]
EXPOSE 4000
CMD ["dagster", "code-server", "start", "--host", "0.0.0.0", "--port", "4000", "--module-name", "c360_graph.definitions", "--location-name", "c360_graph"]
