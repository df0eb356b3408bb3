# syntax=docker/dockerfile:1
# Builds the server from source and ships it with what it needs at run time: a C library, root
# certificates and curl for the health check.
#
#   docker build -t headroom .
#   docker run --rm -p 127.0.0.1:8080:8080 -v headroom-data:/data \
#       -e HEADROOM_ADMIN_EMAIL=you@example.com headroom
#
# The first start prints a generated admin password, once, to the container's log.

FROM rust:1-bookworm AS build
WORKDIR /source
COPY . .
# The caches of cargo outlive a build, so a change in our code compiles only our code. They are mounts
# and not layers: what must stay is copied out in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --release --locked --bin headroom \
    && install -D target/release/headroom /out/headroom

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 headroom \
    && useradd --system --uid 10001 --gid headroom --home-dir /data --shell /usr/sbin/nologin headroom \
    && install -d -o headroom -g headroom -m 0700 /data
COPY --from=build /out/headroom /usr/local/bin/headroom

USER headroom
WORKDIR /data
VOLUME /data
# Inside a container loopback reaches nobody; which address of the host it is published on is said by
# whoever runs it.
ENV HEADROOM_DATA_DIR=/data \
    HEADROOM_LISTEN=0.0.0.0:8080
EXPOSE 8080
# Asks the address the server was told to listen on; readyz is true once the engine stands.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD curl --fail --silent --show-error --output /dev/null \
        "http://127.0.0.1:${HEADROOM_LISTEN##*:}/readyz"
# SIGTERM: the batch in hand is committed and answered, then it stops.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/headroom"]
CMD ["serve"]
