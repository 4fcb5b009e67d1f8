# Tasks for people; `.ci/run` is what a reviewer runs. `just` alone lists them.

_list:
    @just --list --unsorted

# Format and lints
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Everything that needs no outside service
test *ARGS:
    cargo test --locked {{ARGS}}

# One scenario on the local target (names with commas), such as `just scenario workers-die`
scenario NAME:
    SLUICE_E2E_SCENARIOS={{NAME}} cargo test --locked --test e2e scenarios_on_the_local_target -- --nocapture

# The local AWS against LocalStack at ENDPOINT, by boto3
parity ENDPOINT="http://127.0.0.1:4566":
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --locked
    sluice=$PWD/target/debug/sluice parity=$PWD/e2e/parity/aws.py
    scratch=$(mktemp -d)
    trap 'cd "$scratch" && "$sluice" local stop; rm -rf "$scratch"' EXIT
    cd "$scratch"
    "$sluice" local start --time-scale 1
    eval "$("$sluice" env)"
    SLUICE_PARITY_OURS=$AWS_ENDPOINT_URL SLUICE_PARITY_LOCALSTACK={{ENDPOINT}} python3 "$parity"

# What the operator costs with N ScaledObjects, such as `just bench --objects 1000 --case ready,idle` (docs/bench.md)
bench *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --locked --release
    [ -x target/venv/bin/python ] || python3 -m venv target/venv
    target/venv/bin/pip install -q --disable-pip-version-check 'boto3>=1.40' 'PyYAML>=6'
    target/venv/bin/python e2e/bench/bench.py --sluice target/release/sluice {{ARGS}}

# Wall time and memory of one demo, in a folder of its own
demo-cost:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --locked --release
    sluice=$PWD/target/release/sluice
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch"
    time "$sluice" demo >demo.log || { tail -30 demo.log; exit 1; }
    grep -E '^scenario |^Peak memory' demo.log

# rustdoc with warnings as errors, and the tests of the documents
docs:
    RUSTDOCFLAGS='-Dwarnings -Arustdoc::private_intra_doc_links' cargo doc --workspace --no-deps --document-private-items --locked
    cargo test --locked --test e2e docs

# Licences, advisories, duplicates, sources (needs cargo-deny)
deny:
    cargo deny check
