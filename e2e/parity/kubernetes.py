#!/usr/bin/env python3
"""The same requests to the local Kubernetes and to a real one: one line a case, then "N passed, M failed".

    SLUICE_PARITY_OURS_KUBECONFIG=… SLUICE_PARITY_REAL_KUBECONFIG=… python3 e2e/parity/kubernetes.py [WORD…]

Both kubeconfigs need cluster-admin. With WORDs, only the cases whose names hold one of them. Parity cases of running pods need
SLUICE_PARITY_POD_IMAGE, an image with /bin/sh that the nodes of both sides have (and on Fargate a profile for the
namespace `parity`). Differences that stay are in kubernetes-differences.toml, each with its reason.
"""

import os

import kubernetes_access
import kubernetes_commands
import kubernetes_custom
import kubernetes_discovery
import kubernetes_objects
import kubernetes_pods
import kubernetes_requests
import kubernetes_tables
from parity import HERE, run


def main(recorder=None):
    modules = [kubernetes_discovery, kubernetes_requests, kubernetes_objects, kubernetes_custom, kubernetes_access, kubernetes_commands, kubernetes_tables]
    if os.environ.get("SLUICE_PARITY_POD_IMAGE"):
        modules.append(kubernetes_pods)
    else:
        print("skipped: cases of running pods; set SLUICE_PARITY_POD_IMAGE to an image with /bin/sh that both sides have")
    run([case for module in modules for case in module.CASES], HERE / "kubernetes-differences.toml", recorder)


if __name__ == "__main__":
    main()
