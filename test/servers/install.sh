#!/usr/bin/env bash
# Makes sure that PostgreSQL and MinIO are there for the tests: takes them where
# they are installed, else installs them, or says what to install.
set -euo pipefail
cache=$1 minio_version=$2

if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && ! command -v initdb >/dev/null && [ -z "${MILLRACE_TEST_POSTGRES_BIN:-}" ]; then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing PostgreSQL"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql postgresql-client >/dev/null
  else
    echo "PostgreSQL is missing: install your system's postgresql package (server and client), or set MILLRACE_TEST_POSTGRES_BIN to its bin folder" >&2
    exit 1
  fi
fi

if ! command -v minio >/dev/null && [ ! -x "$cache/bin/minio" ] && [ ! -x "${MILLRACE_TEST_MINIO:-}" ]; then
  echo "building MinIO (once, some minutes)"
  mkdir -p "$cache/bin"
  GOFLAGS=-mod=mod GOBIN="$cache/bin" go install "github.com/minio/minio@$minio_version"
fi

# pgJDBC is tested where there is a JDK and Maven; nothing else needs Java.
if command -v javac >/dev/null && command -v mvn >/dev/null && ! ls "$cache"/jdbc/postgresql-*.jar >/dev/null 2>&1; then
  echo "fetching pgJDBC (once)"
  mvn -q -B dependency:copy -Dartifact=org.postgresql:postgresql:42.7.7 -DoutputDirectory="$cache/jdbc" >/dev/null ||
    echo "pgJDBC could not be fetched: its tests will be skipped" >&2
fi
