# Graphtape in a container: docs/install.md says how it is run.

FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY proxy ./proxy
# A venv is copied as it is: the last stage needs neither pip's cache nor the build's tools.
RUN python -m venv --without-pip /opt/graphtape \
    && pip --python /opt/graphtape/bin/python install --no-cache-dir --disable-pip-version-check .

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="Graphtape" \
      org.opencontainers.image.description="Record-and-replay testing proxy for Microsoft Graph" \
      org.opencontainers.image.licenses="MIT"
# Anyone may write in the two folders, as in /tmp: `--user` runs as a user unknown here, so that a
# recording in a mounted folder is the caller's.
RUN groupadd --gid 10001 graphtape \
    && useradd --uid 10001 --gid 10001 --create-home --shell /usr/sbin/nologin graphtape \
    && install --directory --mode 1777 /cassettes /data
COPY --from=build /opt/graphtape /opt/graphtape
# A container's own loopback address can't be reached from outside; which of the host's addresses
# reach the port is for `docker run --publish` to say. Control stays on loopback.
ENV PATH=/opt/graphtape/bin:$PATH \
    GRAPHTAPE_LISTEN=0.0.0.0:8787 \
    GRAPHTAPE_READY_FILE=/tmp/graphtape-ready.json \
    GRAPHTAPE_CACHE_DIR=/tmp/graphtape-cache \
    GRAPHTAPE_DATA_DIR=/data
WORKDIR /cassettes
USER 10001:10001
EXPOSE 8787
# The ready file names the control port, whichever it is; the sandbox has none. Any answer is a sign
# of life: with a control token it is a 401. Python, since the image has no curl.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, json, os, urllib.parse; ready = json.load(open(os.environ['GRAPHTAPE_READY_FILE'])); at = urllib.parse.urlsplit(ready['control'] or ready['proxy']); asked = http.client.HTTPConnection(at.hostname, at.port, timeout=4); asked.request('GET', '/health'); asked.getresponse().read()"]
# No shell in between: SIGTERM reaches Graphtape itself, which saves what it recorded.
ENTRYPOINT ["graphtape"]
CMD ["--help"]
