# layerboost and what it needs to run, without the tools that built it.
#   docker build -t layerboost .
#   docker run --rm -p 8080:8080 -v layerboost:/var/cache/layerboost layerboost serve smollm2-135m --host 0.0.0.0
# The default model is in the image, and in a volume that begins with it; `layerboost pull NAME` brings others into the volume. --host 0.0.0.0 makes the server
# reachable from outside of the container: give it an --api-key (or LAYERBOOST_API_KEY) where others can reach it, too.
FROM debian:12-slim AS build
WORKDIR /opt/layerboost
COPY scripts/setup.sh scripts/get-model.sh scripts/
RUN scripts/setup.sh package
RUN XDG_CACHE_HOME=/cache scripts/get-model.sh
COPY . .
RUN cmake --preset release -B /build -DLAYERBOOST_TESTS=OFF && cmake --build /build \
    && cpack --config /build/CPackConfig.cmake -B /package

FROM debian:12-slim
COPY --from=build /package/*.deb /tmp/
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends /tmp/*.deb \
    && rm -rf /var/lib/apt/lists/* /tmp/*.deb \
    && useradd --system --home-dir /var/cache/layerboost layerboost
COPY --from=build --chown=layerboost:layerboost /cache/layerboost /var/cache/layerboost
USER layerboost
ENV XDG_CACHE_HOME=/var/cache
VOLUME /var/cache/layerboost
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3 && head -1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["layerboost"]
CMD ["serve", "smollm2-135m", "--host", "0.0.0.0"]
