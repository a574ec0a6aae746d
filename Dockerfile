# The program with what PARTS names: the compose file builds one image for controller, dashboard and `db init`, which
# import no layer and so take no torch, and one for workers. By itself this file builds one for everything.

# A Python 3.11 to 3.13 on Debian; the compose file passes these on from .env.
ARG PYTHON_IMAGE=python:3.12.14-slim-trixie@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea
# `layers`, which are pyproject.toml's dependencies, and its extras.
ARG PARTS="layers all"

# The program as a wheel, built by a setuptools of a known hash.
FROM ${PYTHON_IMAGE} AS program
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=docker/locked,target=/locked \
    python -m pip install --root-user-action=ignore --no-deps --require-hashes --requirement /locked/build.txt
COPY . /src
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheel /src

FROM ${PYTHON_IMAGE}

# Debian packages a site adds, e.g. "gcc libc6-dev" where Triton compiles kernels for a GPU.
ARG DEBIAN_PACKAGES=""
RUN if [ -n "$DEBIAN_PACKAGES" ]; then \
        apt-get update && apt-get install -y --no-install-recommends $DEBIAN_PACKAGES && rm -rf /var/lib/apt/lists/*; \
    fi

# The numeric id is fixed because it owns the files in the volumes, on every host and in every version.
RUN useradd --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin pernodedrop \
    && install -d -o pernodedrop -g pernodedrop /data /artifacts /tasks

# Torch, where it is asked for, first and alone: it is the largest layer by far and changes least. Where it comes from
# decides CPU or CUDA; an empty TORCH_INDEX_URL takes the package index's own build, which on Linux x86-64 is CUDA.
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
ARG PARTS
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=constraints.txt,target=/constraints.txt \
    case " $PARTS " in *" layers "*) \
        python -m pip install --root-user-action=ignore --constraint /constraints.txt torch \
            ${TORCH_INDEX_URL:+--no-deps --index-url "$TORCH_INDEX_URL"}; \
    esac

# Everything else by its hash: `make lock` writes these files, one for each set of parts.
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=docker/locked,target=/locked \
    python -m pip install --root-user-action=ignore --no-deps --require-hashes \
        --requirement "/locked/$(echo $PARTS | tr ' ' -).txt" \
    && python -m pip check

# The program itself, last: a change of it rebuilds this small layer alone.
RUN --mount=type=bind,from=program,source=/wheel,target=/wheel \
    python -m pip install --root-user-action=ignore --no-deps --no-index /wheel/*.whl

COPY docker/worker-is-seen /usr/local/bin/

# HOME and every cache lie in the volume: the file system around it may be read-only.
ENV PERNODEDROP_HOME=/data \
    PERNODEDROP_DATA=/data \
    NUMBA_CACHE_DIR=/data/.cache/numba \
    TRITON_CACHE_DIR=/data/.cache/triton \
    PYTHONUNBUFFERED=1 \
    TZ=UTC
USER pernodedrop
WORKDIR /data
EXPOSE 8000 8080
ENTRYPOINT ["pernodedrop"]
CMD ["--help"]
