"""The AWS side: the local cloud, which serves queues, keys and roles, and on the local target the cluster as well."""

import base64
import json
import os
import subprocess
from pathlib import Path

import boto3
import botocore.config
from botocore.signers import RequestSigner

from api import Api, until
from logs import Log

REGION = "eu-west-1"
CLUSTER = "bench"


class Cloud:
    """A local cloud of its own in a scratch folder, in real time."""

    def __init__(self, sluice, scratch):
        self.sluice, self.scratch = str(sluice), Path(scratch)
        self.trail, self.audit = (Log(self.scratch / name) for name in ("trail.log", "audit.log"))
        self.variables, self._clients = None, {}

    def _run(self, *words):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "AWS_"))}
        done = subprocess.run([self.sluice, *words], cwd=self.scratch, env=clean, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise SystemExit(f"`sluice {' '.join(words)}` failed with code {done.returncode}:\n{done.stderr or done.stdout}")
        return done.stdout

    def start(self):
        logs = ["--trail-path", str(self.trail.path), "--audit-log-path", str(self.audit.path)]
        self._run("local", "start", "--time-scale", "1", "--region", REGION, *logs)
        events = [json.loads(line) for line in self._run("env", "--output", "json").splitlines()]
        self.variables = next(event["variables"] for event in events if event["type"] == "environment")
        self.endpoint = self.variables["AWS_ENDPOINT_URL"]
        key = {}
        for line in Path(self.variables["AWS_SHARED_CREDENTIALS_FILE"]).read_text().splitlines():
            name, _, value = line.partition("=")
            key[name.strip()] = value.strip()
        self.key = key["aws_access_key_id"], key["aws_secret_access_key"]

    def stop(self):
        if self.variables:
            self._run("local", "stop")

    def environment(self):
        """What an operator is given so that it finds this cloud."""
        keys = {"AWS_ACCESS_KEY_ID": self.key[0], "AWS_SECRET_ACCESS_KEY": self.key[1]}
        return {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": self.endpoint, **keys}

    def client(self, service):
        if service not in self._clients:
            configuration = botocore.config.Config(user_agent_extra="sluice-bench", max_pool_connections=32)
            keys = {"aws_access_key_id": self.key[0], "aws_secret_access_key": self.key[1]}
            self._clients[service] = boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, config=configuration, **keys)
        return self._clients[service]

    def queue(self, name):
        """Creates a queue and returns its URL."""
        return self.client("sqs").create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": "86400"})["QueueUrl"]

    def send(self, url, count):
        entries = [{"Id": str(number), "MessageBody": "bench"} for number in range(count)]
        self.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)

    def role(self, name, trusted):
        """Creates a role that may read queues and that `trusted` may assume; returns its ARN. `trusted` is an ARN."""
        allow = lambda **statement: json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
        trust = allow(Principal={"AWS": trusted}, Action="sts:AssumeRole")
        iam = self.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=allow(Action="sqs:GetQueueAttributes", Resource="*"))
        return arn

    def caller(self):
        return self.client("sts").get_caller_identity()["Arn"]

    # -- the local target's cluster ---------------------------------------------------------------------------------

    def cluster(self):
        """Creates a cluster without any node, for no container runs; returns the path of a kubeconfig for it."""
        eks, trust = self.client("eks"), json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
        arn = self.client("iam").create_role(RoleName="bench-cluster", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        eks.create_cluster(name=CLUSTER, roleArn=arn, resourcesVpcConfig={"subnetIds": ["subnet-a", "subnet-b"]})
        eks.get_waiter("cluster_active").wait(name=CLUSTER, WaiterConfig={"Delay": 1, "MaxAttempts": 180})
        found = eks.describe_cluster(name=CLUSTER)["cluster"]
        place = {"server": found["endpoint"], "certificate-authority-data": found["certificateAuthority"]["data"]}
        first = self._kubeconfig("first.kubeconfig", place, self._token())
        return self._kubeconfig("kubeconfig", place, driver(Api(first)))

    def _kubeconfig(self, name, cluster, token):
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": cluster}], "users": [{"name": "bench", "user": {"token": token}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        }
        path = self.scratch / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(config, file)
        return path

    def _token(self):
        """A token of EKS: a presigned question who one is."""
        sts = self.client("sts")
        signer = RequestSigner(sts.meta.service_model.service_id, REGION, "sts", "v4", sts._request_signer._credentials, sts.meta.events)
        url = f"{self.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15"
        request = {"method": "GET", "url": url, "body": {}, "headers": {"x-k8s-aws-id": CLUSTER}, "context": {}}
        signed = signer.generate_presigned_url(request, region_name=REGION, expires_in=60, operation_name="")
        return "k8s-aws-v1." + base64.urlsafe_b64encode(signed.encode()).decode().rstrip("=")


def driver(api):
    """A ServiceAccount with every right, and a token of it that outlasts any run."""
    meta, rbac = {"name": "sluice-bench-driver", "namespace": "kube-system"}, "rbac.authorization.k8s.io"
    account = "/api/v1/namespaces/kube-system/serviceaccounts"
    until("API server that answers", 60, lambda: api.get("/api/v1/namespaces/kube-system"))
    api.post(account, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    api.post(f"/apis/{rbac}/v1/clusterrolebindings", {
        "apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": meta["name"]},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", **meta}],
    })
    return token(api, account, meta["name"])


def token(api, accounts, name):
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
    return api.post(f"{accounts}/{name}/token", request)["status"]["token"]
