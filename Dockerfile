# A small image: nuncio as a .deb on a slim Debian, without root.
#
#     docker build -t nuncio .
#     docker run --rm -p 18000:18000 nuncio                            the main job, upstream included
#     docker run --rm -p 8080:8080 -v "$PWD/my.yaml:/etc/nuncio/nuncio.yaml:ro" nuncio
#
# examples/docker-compose has it with an upstream of its own. Without proxy-wasm filters an image is less
# than half as large: docker build --build-arg PACKAGES=nuncio_
ARG DEBIAN=bookworm

FROM debian:${DEBIAN}-slim AS build
WORKDIR /src
COPY packaging packaging
RUN packaging/setup.sh build deb
COPY . .
RUN packaging/deb.sh

FROM debian:${DEBIAN}-slim
ARG PACKAGES=nuncio
COPY --from=build /src/build-deb/${PACKAGES}*.deb /tmp/
RUN apt-get update \
 && apt-get install -y --no-install-recommends /tmp/nuncio*.deb \
 && rm -rf /var/lib/apt/lists/* /tmp/nuncio*.deb
USER 10001:10001
EXPOSE 18000
# Asks the admin port that the configuration names.
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s CMD ["nuncio", "health", "-c", "/etc/nuncio/nuncio.yaml"]
ENTRYPOINT ["nuncio"]
CMD ["-c", "/etc/nuncio/nuncio.yaml"]
