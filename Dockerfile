# The usher image: the binary, the Debian libraries it links to, and a user without rights.
#   docker build -t usher .
#   docker run -p 80:80 -p 443:443 -e USHER_UPSTREAM=host:8080 usher
# Debian 12 works as well: --build-arg BASE=debian:bookworm-slim

ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
WORKDIR /src
# `dev` alone knows what building needs; this layer is built again only when it changes.
COPY dev ./
RUN ./dev install
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY base base
COPY conf conf
COPY net net
COPY tls tls
COPY protocol protocol
COPY routing routing
COPY proxy proxy
COPY control control
COPY systemd systemd
RUN cmake --preset release -DUSHER_TESTS=OFF -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O2 -DNDEBUG" \
 && cmake --build build/release --target usher \
 && strip -o /usher build/release/usher
# The packages that hold the shared libraries, under the names that this Debian release gives them.
RUN mkdir debian && touch debian/control \
 && dpkg-shlibdeps -O /usher | sed 's/^shlibs:Depends=//; s/([^)]*)//g; s/,/ /g' > /packages

FROM ${BASE}
COPY --from=build /packages /tmp/packages
# With what the health checks of stacks with nginx call: curl, and wget; docker/ has the rest.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(cat /tmp/packages) \
      busybox curl \
 && ln -s /bin/busybox /usr/local/bin/wget \
 && ln -s /bin/busybox /usr/local/bin/nslookup \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /tmp/packages \
 && groupadd --system --gid 10001 usher \
 && useradd --system --uid 10001 --gid usher --home-dir /var/lib/usher --shell /usr/sbin/nologin usher \
 && install -d -o usher -g usher -m 0700 /var/lib/usher \
 && install -d -o usher -g usher -m 0750 /var/log/usher
COPY docker/usher.toml /etc/usher/usher.toml
COPY --from=build /usher /usr/local/bin/usher

# For stacks that had an nginx image here: its files are read where they were mounted, and its commands
# answer (docs/nginx.md). As nginx brings it, nginx.conf says nothing by itself.
COPY docker/nginx.conf /usr/share/usher/nginx.conf
COPY docker/nginx.conf /etc/nginx/nginx.conf
COPY docker/nginx docker/pgrep docker/pidof docker/service docker/entrypoint /usr/local/bin/
RUN ln -s nginx /usr/local/bin/nginx-debug \
 && ln -s ../local/bin/nginx /usr/sbin/nginx \
 && install -d -o usher -g usher /etc/nginx/conf.d /var/log/nginx \
 && install -d /etc/nginx/templates \
 && ln -s /dev/stdout /var/log/nginx/access.log \
 && ln -s /dev/stderr /var/log/nginx/error.log

# The self-signed certificate and the affinity secret live here.
ENV USHER_STATE=/var/lib/usher
VOLUME /var/lib/usher

# A user without rights may bind 80 and 443: Docker sets net.ipv4.ip_unprivileged_port_start=0 in every
# container (since 20.10). File capabilities are not used: they would make the binary fail to start under
# cap_drop: ALL.
USER 10001:10001
# Started as root (--user 0), to read what only root may, it becomes this user too (docs/operations.md).
ENV USHER_USER=10001:10001
EXPOSE 80 443

# usher drains on SIGTERM; give it longer than timeouts.drain (docker run --stop-timeout 40).
STOPSIGNAL SIGTERM
# Asks the running node, not the files: a mistake in a file that was edited but not loaded makes nobody ill.
# Who moves the admin address says so in USHER_ADMIN.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD usher status --admin "http://${USHER_ADMIN:-127.0.0.1:9180}" > /dev/null || exit 1

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="usher" \
      org.opencontainers.image.description="Front door for Open WebUI with several replicas" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

ENTRYPOINT ["entrypoint"]
CMD ["run"]
