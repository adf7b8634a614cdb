# One image for the three services, the migrations and the sandbox: the command says which one runs.
#
#   docker build -t permesso .
#
# BASE is any image with Python 3.11 to 3.14 as `python3`, glibc and a time zone database. Where
# there is no network, put the packages into deploy/wheels first: see the page there.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS packages
COPY requirements-runtime.lock deploy/wheels/ /wheels/
RUN set -eu; \
    python3 -m venv /opt/permesso; \
    if ls /wheels/*.whl >/dev/null 2>&1; then from="--no-index --find-links /wheels"; else from=""; fi; \
    /opt/permesso/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --require-hashes --only-binary :all: ${from} -r /wheels/requirements-runtime.lock; \
    /opt/permesso/bin/python -m pip uninstall --quiet --yes pip setuptools

FROM ${BASE}
LABEL org.opencontainers.image.title="Permesso" \
      org.opencontainers.image.description="Talk to people on their messengers, and never without their yes." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=packages /opt/permesso /opt/permesso
COPY LICENSE /app/
COPY shared /app/shared
COPY channels /app/channels
COPY services /app/services
COPY sandbox /app/sandbox
ENV PATH=/opt/permesso/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 HOME=/nonexistent
# The file system is read-only when it runs, so the bytecode is made here. Then everything is
# imported once: an image that cannot start is not an image. The command is there for operators.
RUN set -eu; \
    python -m compileall -q /app; \
    printf '#!/bin/sh\nexec /opt/permesso/bin/python -m services "$@"\n' > /opt/permesso/bin/permesso; \
    chmod 755 /opt/permesso/bin/permesso; \
    echo 'permesso:x:65532:65532:Permesso:/nonexistent:/usr/sbin/nologin' >> /etc/passwd; \
    echo 'permesso:x:65532:' >> /etc/group; \
    python -c "import zoneinfo; zoneinfo.ZoneInfo('Europe/Rome')"; \
    python -c "import services.gateway.app, services.consent.app, services.dispatcher.app, sandbox.app; \
from importlib import import_module; from channels.registry import CHANNELS; \
[import_module(channel.outbound) for channel in CHANNELS.values()]"
ENV PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER 65532:65532
ENTRYPOINT ["permesso"]
CMD ["--help"]
