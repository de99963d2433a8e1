# The two commands that matter: `go run ./cmd/callsemu` and `make test`.

GO       ?= go
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 20s

.DEFAULT_GOAL := help
.PHONY: help test check unit conformance-all conformance-table breakages tls-test e2e tools build lint bench fuzz soak compose-test turn-abuse dataload adapterload clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## everything: formatting, vet, tests with the race detector, fuzzing for a moment, real browsers
	scripts/tools.sh gcc node browsers ffmpeg
	$(MAKE) --no-print-directory check
	$(MAKE) --no-print-directory unit
	$(MAKE) --no-print-directory fuzz FUZZTIME=1000x
	$(MAKE) --no-print-directory tls-test
	$(MAKE) --no-print-directory e2e

check: ## gofmt and go vet
	scripts/gofmt.sh
	$(GO) vet ./...

unit: ## the Go tests with the race detector, and the account API with Cloudflare's Go SDK
	CGO_ENABLED=1 $(GO) test -race ./...
	cd conformance/sdk && CGO_ENABLED=1 $(GO) test -mod=mod -race ./... # a new dependency of ours is one of that module, too

conformance-all: ## every conformance case in every configuration, and against the container
	$(GO) test -count=1 -timeout 30m -run 'TestContract|TestConfigurations' ./conformance -args -all
	scripts/compose-test.sh conformance

conformance-table: ## write docs/conformance.md from a run against an emulator in dev mode
	$(GO) run ./cmd/callsemu conformance --report docs/conformance.md

breakages: ## break the emulator on purpose, in some fifty ways: does a conformance case notice each (BREAKAGES="-run adapter")
	$(GO) run ./scripts/breakages $(BREAKAGES)

tls-test: ## HTTPS with every client that is installed, as callsemu env tells them; what the CA is not good for
	scripts/tls-test.sh

e2e: ## the browser tests (Chromium, Firefox, partytracks)
	cd e2e && npm ci --no-audit --no-fund && npm test

tools: ## install or name what the tests need (C compiler, Node.js, browsers, ffmpeg)
	scripts/tools.sh gcc node browsers ffmpeg

build: ## a static binary: bin/callsemu
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/callsemu ./cmd/callsemu

lint: ## golangci-lint, redocly for openapi/, and shellcheck where it is installed
	scripts/tools.sh node
	$(GO) run $(GOLANGCI) run ./...
	cd e2e && npm ci --no-audit --no-fund && npm run lint
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run scripts/*.sh; \
	else echo "shellcheck is not installed: shell scripts were not checked"; fi

bench: ## the Go benchmarks, allocations included
	$(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## every fuzz target for FUZZTIME each: a time (20s) or a count (1000x)
	scripts/fuzz.sh $(FUZZTIME)

soak: ## a thousand sessions made, connected, used and closed: what do they leave behind
	$(GO) test ./emulator -run '^$$' -bench '^BenchmarkSessions$$' -benchtime 1000x -timeout 20m -v

compose-test: ## containers: media from outside and from others, and apps with the real names written into them
	scripts/standin-test.sh
	scripts/compose-test.sh

turn-abuse: ## malformed frames, wrong credentials and 200 allocations at the TURN server; nothing may be left
	scripts/load.sh turnabuse $(TURNABUSE)

dataload: ## 1 publisher to 100 subscribers on data channels, 200 messages a second for 20 s (DATALOAD="-rate 400")
	scripts/load.sh dataload $(DATALOAD)

adapterload: ## 20 PCM egress and 20 ingest adapters at once for 20 s (ADAPTERLOAD="-jpeg 20")
	scripts/load.sh adapterload $(ADAPTERLOAD)

clean: ## remove what the targets above built
	rm -rf bin dist e2e/node_modules e2e/test-results
