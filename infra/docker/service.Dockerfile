# The image of any of our Python packages that run: `--build-arg SERVICE=sim-service` names its folder.
# From the root of the repository: docker build -f infra/docker/service.Dockerfile --build-arg SERVICE=sim-service .
FROM python:3.11-slim AS build
RUN python3 -m venv /opt/fleet
WORKDIR /build
ARG SERVICE
# Dependencies first: this layer stays cached until a pinned version or a dependency list changes.
COPY requirements/runtime.txt requirements/
COPY contracts/pyproject.toml contracts/
COPY fleet-kit/pyproject.toml fleet-kit/
COPY ${SERVICE}/pyproject.toml ${SERVICE}/
# Of our own libraries only those that the service declares, directly or through fleet-kit, are installed with it.
RUN { grep -q '"fleet-kit"' "$SERVICE/pyproject.toml" || rm -r fleet-kit; } \
    && { grep -qs '"fleet-contracts",' "$SERVICE/pyproject.toml" fleet-kit/pyproject.toml || rm -r contracts; } \
    && echo */pyproject.toml | sed 's,/pyproject.toml,,g' > packages.txt \
    && sed -n '/^dependencies = \[/,/^]/s/^ *"\(.*\)",$/\1/p' */pyproject.toml | grep -v '^fleet-' | sort -u > wanted.txt \
    && /opt/fleet/bin/pip install --no-cache-dir --disable-pip-version-check -c requirements/runtime.txt -r wanted.txt "setuptools>=77"
COPY contracts /source/contracts
COPY fleet-kit /source/fleet-kit
COPY ${SERVICE} /source/${SERVICE}
RUN cd /source && /opt/fleet/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation \
        $(sed 's,[^ ]*,./&,g' /build/packages.txt) \
    && /opt/fleet/bin/pip uninstall -y -q setuptools pip \
    && printf '#!/bin/sh\nexec python -m %s "$@"\n' "$(echo "$SERVICE" | tr - _)" > /opt/fleet/bin/service \
    && chmod 755 /opt/fleet/bin/service

FROM python:3.11-slim
# A new volume at /state takes the owner of this folder: the simulator keeps keys of devices there.
RUN useradd --system --uid 10001 --create-home fleet && install -d -m 700 -o fleet -g fleet /state
COPY --from=build /opt/fleet /opt/fleet
ENV PATH=/opt/fleet/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0
USER fleet
WORKDIR /home/fleet
CMD ["service"]
