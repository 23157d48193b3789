# Everything a developer or CI runs is a target here. `make` lists them.
SHELL := /bin/bash
CACHE := $(CURDIR)/.cache
GO    ?= go
export MILLRACE_TEST_MINIO ?= $(shell command -v minio || echo $(CACHE)/bin/minio)
MINIO_VERSION := v0.0.0-20260212201848-7aac2a2c5b7c

# All but race compile with the same flags, so that each package is compiled once.
export CGO_ENABLED ?= 0
export GOFLAGS := $(GOFLAGS) -trimpath

# Tests keep their data in memory where 8 GB of it are free: they sync it after every
# statement, and what they kill is processes, whose files outlive them there as well.
SCRATCH := $(shell a=$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $$4}'); if [ "$${a:-0}" -gt 8000000 ] && [ -w /dev/shm ]; then echo /dev/shm; else echo $${TMPDIR:-/tmp}; fi)
TEST := $(GO) test -exec "env TMPDIR=$(SCRATCH) GOTMPDIR=$(SCRATCH)"

.PHONY: help build run test servers lint race fuzz crash bench generate clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## build bin/millrace, one static binary
	$(GO) build -ldflags "-s -w -X main.version=$$(git describe --always --dirty 2>/dev/null || echo dev)" -o bin/millrace ./cmd/millrace

run: build ## build and start the server on ./millrace-data, with the quickstart loaded into a new folder
	./bin/millrace server --data ./millrace-data --init examples/quickstart.sql

servers: ## install what the tests run against: PostgreSQL and MinIO
	@bash test/servers/install.sh "$(CACHE)" "$(MINIO_VERSION)"

test: servers ## run every test, those against real servers included
	$(TEST) -timeout 30m ./...

lint: ## vet, formatting, layers, file sizes
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt needed:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) test -count=1 ./internal/lint/

race: servers ## the concurrent packages under the race detector, with a fifth of the made-up input
	CGO_ENABLED=1 $(TEST) -race -short -timeout 15m ./exec/... ./job/... ./statestore/... ./connector/... ./server/... ./catalog/... ./sql/parse/ ./test/clients/

fuzz: ## every fuzz target for a few seconds (FUZZTIME=5s)
	@bash test/fuzz.sh $${FUZZTIME:-5s}

crash: servers ## kill -9 the server at random moments on MinIO (ROUNDS=50)
	MILLRACE_CRASH_ROUNDS=$${ROUNDS:-50} $(TEST) -count=1 -timeout 30m -v ./test/crash/

bench: servers ## Nexmark, a line per query beside its limit kernel and with checkpoints every 10 s; barriers, restores, memory of state (half an hour; quick: BENCHFLAGS='-interval 0')
	$(GO) test -run '^$$' -bench . -benchtime $${BENCHTIME:-1x} -timeout 90m ./bench/ $(BENCHFLAGS)

generate: ## regenerate what is generated; leaves a clean tree
	$(GO) generate ./...

clean: ## remove what was built
	rm -rf bin .cache/bin
