#!/usr/bin/env python3
"""KEDA's own end-to-end tests against this project's operator.

    python3 e2e/bench/kedatests.py --kubeconfig FILE --address ADDRESS --keda FOLDER [--sluice PROGRAM] [--jobs 8] [DIR…]

FOLDER is that of the real parts (CONTRIBUTING.md): its `addons`, `inside` and `e2e` give the cluster what the tests need and
run the tests of the folders DIR, such as internals/pause_scaledobject or scalers/cron. KEDA's admission webhooks are applied
beside the operator. Prints a line for each test, and fails when a test fails. The cluster must have no external metrics and no namespace keda.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from api import Api, Late, Refused, until
from operators import Sluice, path

ROOT = Path(__file__).resolve().parents[2]
# Nobody takes the lead from the one operator there is: a machine that is late with a renewal must not end it, as no kubelet starts it again.
LEASE = {"KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION": "300s", "KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE": "240s"}
# Where KEDA's tests keep the CA that they make.
AUTHORITY = Path("/tmp/keda-e2e-ca.crt")
KINDS = ("scaledobjects", "scaledjobs", "triggerauthentications", "clustertriggerauthentications")


class Run:
    """What an operator is started with."""

    def __init__(self, given, scratch):
        self.api, self.address, self.scratch = Api(given.kubeconfig), given.address, scratch


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--kubeconfig", required=True, help="of the cluster of the real parts")
    add("--address", required=True, help="the address at which the API server reaches this machine")
    add("--keda", required=True, metavar="FOLDER", help="the real parts' folder keda")
    add("--sluice", default=str(ROOT / "target" / "debug" / "sluice"), help="the program (target/debug/sluice)")
    add("--jobs", type=int, default=8, help="folders at a time (8)")
    add("--tries", type=int, default=1, help="times that a folder with a failure is run (1)")
    add("--log", metavar="FILE", help="keep the operator's log there")
    add("folders", nargs="+", metavar="DIR")
    return parser.parse_args()


def forget(api):
    """Deletes the KEDA objects that tests left, while the operator that ends them still runs."""
    left = [f"/apis/keda.sh/v1alpha1/namespaces/{item['metadata']['namespace']}/{kind}/{item['metadata']['name']}" if "namespace" in item["metadata"]
            else f"/apis/keda.sh/v1alpha1/{kind}/{item['metadata']['name']}" for kind in KINDS for item in (api.get(f"/apis/keda.sh/v1alpha1/{kind}") or {"items": []})["items"]]
    for path in left:
        api.delete(path)
    until("end of the KEDA objects", 60, lambda: all(api.get(path) is None for path in left))


def files(scratch):
    """What two tests look for in the operator's pod: the CA that signs their servers' certificates, and a file with a token."""
    authorities, credentials = scratch / "ca", scratch / "auth"
    authorities.mkdir()
    credentials.mkdir()
    if not AUTHORITY.exists():
        key = AUTHORITY.with_suffix(".key")
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"], check=True, capture_output=True, timeout=60)
        extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
        subprocess.run(["openssl", "req", "-x509", "-key", key, "-out", AUTHORITY, "-days", "30", "-subj", "/O=Company, INC./C=US", *extensions], check=True, timeout=60)
    shutil.copy(AUTHORITY, authorities / "test-ca.crt")
    (credentials / "creds.json").write_text(json.dumps({"authMode": "bearer", "token": "e2e-mock-test-bearer-token"}))
    return [f"--ca-dir={authorities}", f"--filepath-auth-root-path={credentials}"]


def admit(operator, api):
    """Applies the admission webhooks, and waits until the operator has written its CA into each."""
    configuration = yaml.safe_load((ROOT / "docs" / "admission-webhooks.yaml").read_text())
    operator.items.append(configuration)
    api.apply(path(configuration), configuration)
    until("CA in the admission webhooks", 60, lambda: all(one["clientConfig"].get("caBundle") for one in api.get(path(configuration))["webhooks"]))


def tested(operator, command, environment):
    """The exit code of the tests, which end with the operator."""
    tests = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        while True:
            try:
                return tests.wait(1)
            except subprocess.TimeoutExpired:
                if operator.process.poll() is not None:
                    raise Late(f"the operator ended with code {operator.process.returncode}") from None
    finally:
        if tests.poll() is None:
            os.killpg(tests.pid, signal.SIGKILL)


def main():
    given = arguments()
    folder, scratch = Path(given.keda).resolve(), Path(tempfile.mkdtemp(prefix="sluice-kedatests-"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    environment = {**os.environ, "KUBECONFIG": given.kubeconfig, "REAL_HOST_IP": given.address}
    subprocess.run([folder / "addons"], env=environment, check=True, timeout=120)
    run, code = Run(given, scratch), 1
    operator = Sluice(Path(given.sluice).resolve(), before=[folder / "inside"], flags=files(scratch))
    try:
        operator.start(run, LEASE | {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith(("AWS_", "KEDA_", "REAL", "SLUICE_"))})
        admit(operator, run.api)
        tests = {**environment, "E2E_JOBS": str(given.jobs), "E2E_TRIES": str(given.tries)}
        code = tested(operator, [folder / "e2e", *given.folders], tests)
    except (Late, Refused, OSError) as error:
        print(f"FAIL  {error}; the logs are in {scratch}", file=sys.stderr)
    finally:
        try:
            forget(run.api)
        finally:
            operator.stop(run)
            if given.log:
                shutil.copy(operator.log, given.log)
            subprocess.run([folder / "addons", "stop"], env=environment, timeout=60)
    if code == 0:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
