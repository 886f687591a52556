# The image of `make image`, for those who build with a container engine: docker build -t doorward:0.1.0 .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# An explicit target keeps the flag away from build scripts and procedural macros, which cannot be static.
RUN target="$(uname -m)-unknown-linux-gnu" \
    && RUSTFLAGS="-C target-feature=+crt-static" \
       cargo build --locked --release --package doorward-cli --target "$target" --target-dir /built \
    && install -D "/built/$target/release/doorward" /image/doorward \
    && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
ENTRYPOINT ["/doorward"]
