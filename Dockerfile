# Nothing but one static binary. Any builder will do: no BuildKit feature is used.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /callsemu ./cmd/callsemu && mkdir /state

FROM scratch
COPY --from=build /callsemu /callsemu
# The CA for HTTPS; a volume mounted here keeps it.
COPY --from=build --chown=65532:65532 /state /state
# Who vouches for the wss:// endpoints of adapters.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 65532:65532
# All of the container's addresses, not just its loopback, must answer: published ports and other
# containers arrive at eth0.
ENV CALLSEMU_LISTEN=0.0.0.0:1473 CALLSEMU_STUN=0.0.0.0:3478 CALLSEMU_STATE_DIR=/state
EXPOSE 1473/tcp 1473/udp 3478/tcp 3478/udp 5349/tcp
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=3 CMD ["/callsemu", "healthcheck"]
ENTRYPOINT ["/callsemu"]
