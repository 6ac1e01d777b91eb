# The project on a CPU: docker build --tag=stylegan . && docker run --rm stylegan
# docs/installing.md, "Containers", has more. Dockerfile.gpu is the same with CUDA.
FROM debian:trixie-slim

# Debian keeps one version of each package, which cannot be pinned for long; Python is 3.13.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates make python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 stylegan \
    && install -d -o 1000 -g 1000 /app /app/datasets /app/out /app/results

USER 1000
WORKDIR /app

# Without what only tests need: .ready tells make that all is there. EXTRA: requirements-web.txt for
# explore.py, requirements-export.txt, requirements-crop.txt.
ARG EXTRA=
COPY --chown=1000:1000 requirements*.txt ./
RUN python3 -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir -r requirements.txt \
    && if [ -n "$EXTRA" ]; then .venv/bin/python -m pip install --no-cache-dir -r "$EXTRA"; fi

COPY --chown=1000:1000 . .
RUN touch .venv/.ready

VOLUME ["/app/datasets", "/app/out", "/app/results"]
CMD ["make", "demo"]
