#!/usr/bin/env python3
"""An EKS cluster without any stack on the local cloud, for the cases: made as any user would make it, with boto3.

    eval "$(sluice env)"; python3 e2e/parity/cluster.py FILE

FILE gets the kubeconfig, by `aws eks update-kubeconfig`. The cluster goes with the local cloud (`sluice local stop`).
"""

import json
import os
import subprocess
import sys

import boto3

NAME = "parity"
NAMESPACES = ["default", "kube-system", "keda", "parity"]
iam, eks = boto3.client("iam"), boto3.client("eks")


def role(name, service):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]


def waited(waiter, **what):
    eks.get_waiter(waiter).wait(**what, WaiterConfig={"Delay": 1, "MaxAttempts": 180})


if __name__ == "__main__":
    network = {"subnetIds": ["subnet-a", "subnet-b"]}
    eks.create_cluster(name=NAME, roleArn=role("parity-cluster", "eks.amazonaws.com"), resourcesVpcConfig=network)
    waited("cluster_active", name=NAME)
    eks.create_fargate_profile(
        clusterName=NAME, fargateProfileName="pods", podExecutionRoleArn=role("parity-pods", "eks-fargate-pods.amazonaws.com"),
        selectors=[{"namespace": namespace} for namespace in NAMESPACES],
    )
    waited("fargate_profile_active", clusterName=NAME, fargateProfileName="pods")
    environment = {**os.environ, "KUBECONFIG": sys.argv[1]}
    subprocess.run(["aws", "eks", "update-kubeconfig", "--name", NAME], env=environment, check=True, stdout=subprocess.DEVNULL)
