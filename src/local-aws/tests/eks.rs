//! EKS: states over time, and what is refused meanwhile.

use serde_json::{Value, json};

use super::signer::Shape;
use super::{ACCOUNT, Stage};

async fn roles(stage: &Stage) -> (String, String) {
    for (name, service) in [("cluster", "eks.amazonaws.com"), ("pods", "eks-fargate-pods.amazonaws.com")] {
        let trust = json!([{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }]);
        stage.role_trusting(name, &trust).await;
    }
    (format!("arn:aws:iam::{ACCOUNT}:role/cluster"), format!("arn:aws:iam::{ACCOUNT}:role/pods"))
}

/// Lets time pass until `path` shows `member` in `status`.
async fn reach(stage: &Stage, path: &str, member: &str, status: &str) {
    stage
        .until(status, async |stage| {
            let answer = stage.eks("GET", path, Value::Null).await.ok();
            (answer[member]["status"] == status).then_some(())
        })
        .await;
}

async fn gone(stage: &Stage, path: &str) {
    stage
        .until("its end", async |stage| {
            (stage.eks("GET", path, Value::Null).await.code() == "ResourceNotFoundException").then_some(())
        })
        .await;
}

async fn cluster(stage: &Stage) -> String {
    let (role, pods) = roles(stage).await;
    let body = json!({
        "name": "c", "roleArn": role, "resourcesVpcConfig": { "subnetIds": ["subnet-a", "subnet-b"] },
        "accessConfig": { "authenticationMode": "API" },
    });
    let created = stage.eks("POST", "/clusters", body).await.ok();
    let network = &created["cluster"]["resourcesVpcConfig"];
    assert_eq!(created["cluster"]["status"], "CREATING");
    assert!(network["vpcId"].is_string() && network["clusterSecurityGroupId"].is_null(), "{network}");
    reach(stage, "/clusters/c", "cluster", "ACTIVE").await;
    let active = stage.eks("GET", "/clusters/c", Value::Null).await.ok();
    let group = active["cluster"]["resourcesVpcConfig"]["clusterSecurityGroupId"].as_str().unwrap();
    assert!(group.starts_with("sg-"), "{group}");
    pods
}

#[tokio::test]
async fn a_cluster_is_refused_with_the_parameter_that_is_wrong() {
    let stage = Stage::start();
    let (role, pods) = roles(&stage).await;
    let body = |change: Value| {
        let mut body =
            json!({ "name": "c", "roleArn": role, "resourcesVpcConfig": { "subnetIds": ["subnet-a", "subnet-b"] } });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    let one_subnet = json!({ "resourcesVpcConfig": { "subnetIds": ["subnet-a", "subnet-a"] } });
    for (change, expected) in [
        (json!({ "name": "-c" }), "cluster name"),
        (json!({ "version": "1.29" }), "unsupported Kubernetes version"),
        (json!({ "roleArn": pods }), "could not be assumed"),
        (one_subnet, "two different AZs"),
    ] {
        let answer = stage.eks("POST", "/clusters", body(change)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidParameterException"));
        assert!(answer.message().contains(expected), "{}", answer.text);
    }
    let missing = stage.eks("GET", "/clusters/c", Value::Null).await;
    assert_eq!((missing.status, missing.message().as_str()), (404, "No cluster found for name: c."));
}

#[tokio::test]
async fn one_profile_operation_at_a_time_and_the_cluster_last() {
    let stage = Stage::start();
    let pods = cluster(&stage).await;
    let selectors = |count: usize| -> Value { (0..count).map(|n| json!({ "namespace": format!("n{n}") })).collect() };
    let create = |name: &str, count: usize| {
        let body = json!({ "fargateProfileName": name, "podExecutionRoleArn": pods, "selectors": selectors(count) });
        let stage = &stage;
        async move { stage.eks("POST", "/clusters/c/fargate-profiles", body).await.code() }
    };
    assert_eq!(create("p", 6).await, "InvalidParameterException");
    assert_eq!(create("eks-p", 1).await, "InvalidParameterException");
    assert_eq!(create("p", 5).await, "");
    assert_eq!(create("q", 1).await, "ResourceInUseException");
    let path = "/clusters/c/fargate-profiles/p";
    assert_eq!(stage.eks("DELETE", path, Value::Null).await.code(), "ResourceInUseException");
    reach(&stage, path, "fargateProfile", "ACTIVE").await;
    assert_eq!(create("p", 1).await, "ResourceInUseException");

    let refused = stage.eks("DELETE", "/clusters/c", Value::Null).await;
    assert_eq!((refused.status, refused.message().as_str()), (409, "Cluster has fargate profiles attached"));
    assert_eq!(stage.eks("DELETE", path, Value::Null).await.code(), "");
    assert_eq!(create("q", 1).await, "ResourceInUseException");
    gone(&stage, path).await;
    assert_eq!(stage.eks("DELETE", "/clusters/c", Value::Null).await.code(), "");
    assert_eq!(stage.eks("DELETE", "/clusters/c", Value::Null).await.code(), "ResourceInUseException");
    gone(&stage, "/clusters/c").await;
}

#[tokio::test]
async fn coredns_needs_fargate_and_a_profile_and_an_update_takes_as_long_as_the_addon() {
    let stage = Stage::start();
    let pods = cluster(&stage).await;
    let path = "/clusters/c/addons/coredns";
    let create = json!({ "addonName": "coredns" });
    assert_eq!(stage.eks("POST", "/clusters/c/addons", create.clone()).await.code(), "");
    assert_eq!(stage.eks("POST", "/clusters/c/addons", create).await.code(), "ResourceInUseException");
    reach(&stage, path, "addon", "DEGRADED").await;
    let profile =
        json!({ "fargateProfileName": "p", "podExecutionRoleArn": pods, "selectors": [{ "namespace": "kube-*" }] });
    assert_eq!(stage.eks("POST", "/clusters/c/fargate-profiles", profile).await.code(), "");
    reach(&stage, "/clusters/c/fargate-profiles/p", "fargateProfile", "ACTIVE").await;
    let change = json!({ "configurationValues": "{\"computeType\":\"Fargate\"}" });
    let update = stage.eks("POST", &format!("{path}/update"), change).await.ok();
    let id = format!("/clusters/c/updates/{}?addonName=coredns", update["update"]["id"].as_str().unwrap());
    assert_eq!(stage.eks("GET", &id, Value::Null).await.ok()["update"]["status"], "InProgress");
    reach(&stage, path, "addon", "ACTIVE").await;
    reach(&stage, &id, "update", "Successful").await;
}

#[tokio::test]
async fn an_addon_made_anew_outlives_the_deletions_of_its_predecessor() {
    let stage = Stage::start();
    cluster(&stage).await;
    let path = "/clusters/c/addons/coredns";
    let create = json!({ "addonName": "coredns" });
    assert_eq!(stage.eks("POST", "/clusters/c/addons", create.clone()).await.code(), "");
    assert_eq!(stage.eks("DELETE", path, Value::Null).await.code(), "");
    stage.handle.advance(std::time::Duration::from_secs(4));
    assert_eq!(stage.eks("DELETE", path, Value::Null).await.code(), "");
    gone(&stage, path).await;
    assert_eq!(stage.eks("POST", "/clusters/c/addons", create).await.code(), "");
    // The second deletion's time comes while the new one is there.
    reach(&stage, path, "addon", "DEGRADED").await;
}

#[tokio::test]
async fn access_entries_and_tags_go_by_encoded_arns() {
    let stage = Stage::start();
    cluster(&stage).await;
    let principal = format!("arn:aws:iam::{ACCOUNT}:role/pods");
    let entries = "/clusters/c/access-entries";
    let body = json!({ "principalArn": principal, "kubernetesGroups": ["viewers"], "tags": { "a": "b" } });
    let made = stage.eks("POST", entries, body.clone()).await.ok();
    assert_eq!(stage.eks("POST", entries, body).await.code(), "ResourceInUseException");
    let masters = json!({ "principalArn": format!("arn:aws:iam::{ACCOUNT}:role/cluster"), "kubernetesGroups": ["system:masters"] });
    assert_eq!(stage.eks("POST", entries, masters).await.code(), "InvalidParameterException");
    let encoded = |text: &str| text.replace(':', "%3A").replace('/', "%2F");
    let path = format!("{entries}/{}/access-policies", encoded(&principal));
    let policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";
    let scope = json!({ "type": "namespace", "namespaces": ["default"] });
    assert_eq!(stage.eks("POST", &path, json!({ "policyArn": policy, "accessScope": scope })).await.code(), "");
    let listed = stage.eks("GET", &path, Value::Null).await.ok();
    assert_eq!(listed["associatedAccessPolicies"][0]["accessScope"], scope);
    let association = format!("{path}/{}", encoded(policy));
    assert_eq!(stage.eks("DELETE", &association, Value::Null).await.code(), "");
    assert_eq!(stage.eks("DELETE", &association, Value::Null).await.code(), "ResourceNotFoundException");

    let tags = format!("/tags/{}", encoded(made["accessEntry"]["accessEntryArn"].as_str().unwrap()));
    assert_eq!(stage.eks("POST", &tags, json!({ "tags": { "c": "d" } })).await.code(), "");
    assert_eq!(stage.eks("DELETE", &format!("{tags}?tagKeys=a"), Value::Null).await.code(), "");
    assert_eq!(stage.eks("GET", &tags, Value::Null).await.ok()["tags"], json!({ "c": "d" }));
    assert_eq!(stage.eks("GET", &format!("{tags}x"), Value::Null).await.code(), "NotFoundException");
}

#[tokio::test]
async fn the_versions_are_listed_with_their_support() {
    let stage = Stage::start();
    let all = stage.eks("GET", "/cluster-versions", Value::Null).await.ok();
    let names: Vec<_> =
        all["clusterVersions"].as_array().unwrap().iter().map(|one| one["clusterVersion"].clone()).collect();
    assert_eq!((&names[0], names.len()), (&json!("1.36"), 6));
    let only = stage.eks("GET", "/cluster-versions?defaultOnly=true", Value::Null).await.ok();
    let only = only["clusterVersions"].as_array().unwrap().clone();
    assert_eq!(
        (only.len(), &only[0]["clusterVersion"], &only[0]["versionStatus"]),
        (1, &json!("1.35"), &json!("STANDARD_SUPPORT"))
    );
    let two = stage.eks("GET", "/cluster-versions?clusterVersions=1.31&clusterVersions=1.34", Value::Null).await.ok();
    assert_eq!(two["clusterVersions"].as_array().unwrap().len(), 2);
    let extended =
        stage.eks("GET", "/cluster-versions?versionStatus=EXTENDED_SUPPORT&maxResults=1", Value::Null).await.ok();
    assert_eq!(extended["clusterVersions"][0]["clusterVersion"], "1.33");
    assert!(extended["nextToken"].is_string());
    let bad = stage.eks("GET", "/cluster-versions?versionStatus=FINE", Value::Null).await;
    assert_eq!(bad.code(), "InvalidParameterException");
}

#[tokio::test]
async fn what_there_is_none_of_is_listed_empty_and_refused_by_name() {
    let stage = Stage::start();
    cluster(&stage).await;
    for (method, path, member) in [
        ("GET", "node-groups", "nodegroups"),
        ("GET", "pod-identity-associations?namespace=default", "associations"),
        ("GET", "identity-provider-configs", "identityProviderConfigs"),
        ("POST", "insights", "insights"),
    ] {
        let body =
            if method == "POST" { json!({ "filter": { "categories": ["UPGRADE_READINESS"] } }) } else { Value::Null };
        assert_eq!(stage.eks(method, &format!("/clusters/c/{path}"), body).await.ok()[member], json!([]), "{path}");
    }
    for path in ["node-groups/n", "pod-identity-associations/a-1", "insights/i"] {
        let missing = stage.eks("GET", &format!("/clusters/c/{path}"), Value::Null).await;
        assert_eq!((missing.status, missing.code().as_str()), (404, "ResourceNotFoundException"), "{path}");
    }
    let config = json!({ "identityProviderConfig": { "type": "oidc", "name": "mine" } });
    let missing = stage.eks("POST", "/clusters/c/identity-provider-configs/describe", config).await;
    assert!(missing.message().ends_with("for name: mine."), "{}", missing.text);
    for path in ["node-groups", "pod-identity-associations", "identity-provider-configs/associate"] {
        let refused = stage.eks("POST", &format!("/clusters/c/{path}"), json!({})).await;
        assert_eq!(refused.code(), "UnknownOperationException");
        assert!(refused.message().starts_with("The local cloud does not offer"), "{}", refused.text);
    }
}

#[tokio::test]
async fn a_call_repeated_by_its_token_does_nothing_again() {
    let stage = Stage::start();
    let pods = cluster(&stage).await;
    let profile = |name: &str, token: &str| json!({ "fargateProfileName": name, "podExecutionRoleArn": pods, "selectors": [{ "namespace": "a" }], "clientRequestToken": token });
    let path = "/clusters/c/fargate-profiles";
    let first = stage.eks("POST", path, profile("p", "one")).await.ok();
    assert_eq!(stage.eks("POST", path, profile("p", "one")).await.ok(), first);
    assert_eq!(stage.eks("POST", path, profile("p", "two")).await.code(), "ResourceInUseException");
    let other = stage.eks("POST", path, profile("q", "one")).await;
    assert!(other.message().contains("clientRequestToken one was used"), "{}", other.text);
}

#[tokio::test]
async fn an_upgrade_policy_and_a_configuration_are_read() {
    let stage = Stage::start();
    cluster(&stage).await;
    let policy = json!({ "upgradePolicy": { "supportType": "STANDARD" } });
    assert_eq!(
        stage.eks("POST", "/clusters/c/update-config", policy.clone()).await.ok()["update"]["type"],
        "UpgradePolicyUpdate"
    );
    reach(&stage, "/clusters/c", "cluster", "ACTIVE").await;
    let shown = stage.eks("GET", "/clusters/c", Value::Null).await.ok();
    assert_eq!(shown["cluster"]["upgradePolicy"]["supportType"], "STANDARD");
    assert_eq!(stage.eks("POST", "/clusters/c/update-config", policy).await.code(), "InvalidParameterException");
    for (values, expected) in [
        ("{\"replicas\":2}", "$.replicas: is not defined"),
        ("{\"replicaCount\":\"2\"}", "$.replicaCount: integer expected"),
    ] {
        let refused = stage
            .eks("POST", "/clusters/c/addons", json!({ "addonName": "coredns", "configurationValues": values }))
            .await;
        assert!(refused.message().contains(expected), "{}", refused.text);
    }
    let schema = stage
        .eks("GET", "/addons/configuration-schemas?addonName=coredns&addonVersion=v1.13.1-eksbuild.1", Value::Null)
        .await
        .ok();
    let schema: Value = serde_json::from_str(schema["configurationSchema"].as_str().unwrap()).unwrap();
    assert_eq!(schema["properties"]["replicaCount"]["type"][0], "integer");
    let none = stage.eks("GET", "/addons/supported-versions?types=storage", Value::Null).await.ok();
    assert_eq!(none["addons"], json!([]));
}

/// The key that a cluster shows.
async fn key_of(stage: &Stage) -> Value {
    let shown = stage.eks("GET", "/clusters/c", Value::Null).await.ok();
    shown["cluster"]["encryptionConfig"][0]["provider"]["keyArn"].clone()
}

#[tokio::test]
async fn a_cluster_gets_a_key_once_and_never_another() {
    let stage = Stage::start();
    cluster(&stage).await;
    assert_eq!(key_of(&stage).await, Value::Null);
    let path = "/clusters/c/encryption-config/associate";
    let config =
        |name: &str| json!({ "encryptionConfig": [{ "resources": ["secrets"], "provider": { "keyArn": name } }] });
    let key = format!("arn:aws:kms:ap-northeast-1:{ACCOUNT}:key/0a1b");
    for (wrong, expected) in [
        (config("0a1b"), "Invalid KMS key"),
        (config(&key.replace("northeast", "south")), "not in the region"),
        (json!({ "encryptionConfig": [{ "resources": ["secrets"], "provider": {} }] }), "KeyArn is required"),
        (json!({ "encryptionConfig": [{ "resources": ["pods"], "provider": { "keyArn": key } }] }), "resources"),
    ] {
        let refused = stage.eks("POST", path, wrong).await;
        assert!(refused.message().contains(expected), "{}", refused.text);
    }
    let begun = stage.eks("POST", path, config(&key)).await.ok();
    assert_eq!(begun["update"]["type"], "AssociateEncryptionConfig");
    assert_eq!(begun["update"]["params"][0]["type"], "EncryptionConfig");
    reach(&stage, "/clusters/c", "cluster", "ACTIVE").await;
    assert_eq!(key_of(&stage).await, key);
    let again = stage.eks("POST", path, config(&key)).await;
    assert_eq!(again.message(), "Encryption is already enabled on the cluster");
}

#[tokio::test]
async fn a_key_takes_the_callers_right_to_let_eks_use_it_and_an_alias_is_shown_as_its_key() {
    let stage = Stage::start();
    cluster(&stage).await;
    let statements = |actions: Value| json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }]);
    let narrow = stage.role("narrow", &statements(json!(["eks:*"]))).await;
    let wide = stage.role("wide", &statements(json!(["eks:*", "kms:DescribeKey", "kms:CreateGrant"]))).await;
    let body = json!({ "encryptionConfig": [{ "resources": ["secrets"], "provider": { "keyArn": "alias/eks" } }] });
    let mut codes = Vec::new();
    for role in [narrow, wide] {
        let key = stage.session(&role).await;
        let (headers, text) = ([("content-type", "application/json")], body.to_string());
        let shape =
            Shape { headers: &headers, body: &text, ..Shape::post("eks", "/clusters/c/encryption-config/associate") };
        codes.push(stage.send(shape, Some(&key)).await.code());
    }
    assert_eq!(codes, ["AccessDeniedException", ""]);
    let shown = key_of(&stage).await;
    assert!(shown.as_str().unwrap().starts_with(&format!("arn:aws:kms:ap-northeast-1:{ACCOUNT}:key/")), "{shown}");
}

#[tokio::test]
async fn an_endpoint_is_changed_by_itself_and_takes_blocks_of_the_internet() {
    let stage = Stage::start();
    cluster(&stage).await;
    let change = async |config: Value| {
        let answer = stage.eks("POST", "/clusters/c/update-config", json!({ "resourcesVpcConfig": config })).await;
        if answer.status == 200 { answer.ok()["update"]["type"].as_str().unwrap().to_owned() } else { answer.message() }
    };
    for (cidr, refused) in [("10.0.0.0/8", true), ("everywhere", true), ("203.0.113.0", true), ("2001:db8::/32", true)]
    {
        let found = change(json!({ "publicAccessCidrs": [cidr] })).await;
        assert_eq!(
            found == format!("The following CIDRs are invalid in publicAccessCidrs: [{cidr}]"),
            refused,
            "{found}"
        );
    }
    let both = json!({ "endpointPrivateAccess": true, "subnetIds": ["subnet-a", "subnet-c"] });
    assert_eq!(change(both).await, "Only one type of update can be allowed.");
    assert_eq!(change(json!({})).await, "Invalid type for cluster update.");
    let same = change(json!({ "endpointPublicAccess": true })).await;
    assert!(
        same.starts_with("Cluster is already at the desired configuration with endpointPrivateAccess: false"),
        "{same}"
    );
    assert_eq!(change(json!({ "publicAccessCidrs": ["203.0.113.0/24"] })).await, "EndpointAccessUpdate");
    reach(&stage, "/clusters/c", "cluster", "ACTIVE").await;
    assert_eq!(change(json!({ "subnetIds": ["subnet-a", "subnet-c"] })).await, "VpcConfigUpdate");
    reach(&stage, "/clusters/c", "cluster", "ACTIVE").await;
    let shown = stage.eks("GET", "/clusters/c", Value::Null).await.ok();
    let vpc = &shown["cluster"]["resourcesVpcConfig"];
    assert_eq!((&vpc["publicAccessCidrs"], &vpc["subnetIds"][1]), (&json!(["203.0.113.0/24"]), &json!("subnet-c")));
}

#[tokio::test]
async fn conditions_see_the_parameters_and_the_tags_of_parts() {
    let stage = Stage::start();
    let pods = cluster(&stage).await;
    let profile = json!({ "fargateProfileName": "p", "podExecutionRoleArn": pods, "selectors": [{ "namespace": "a" }], "tags": { "team": "blue" } });
    assert_eq!(stage.eks("POST", "/clusters/c/fargate-profiles", profile).await.code(), "");
    let view = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";
    let statements = json!([
        { "Effect": "Allow", "Action": "eks:DescribeFargateProfile", "Resource": "*", "Condition": { "StringEquals": { "aws:ResourceTag/team": "blue" } } },
        { "Effect": "Allow", "Action": "eks:CreateAccessEntry", "Resource": "*", "Condition": { "StringEquals": { "eks:accessEntryType": "STANDARD", "eks:clusterName": "c" }, "ForAllValues:StringLike": { "eks:kubernetesGroups": "view*" } } },
        { "Effect": "Allow", "Action": "eks:AssociateAccessPolicy", "Resource": "*", "Condition": { "ArnEquals": { "eks:policyArn": view }, "StringEquals": { "eks:accessScope": "namespace" } } },
    ]);
    let key = stage.session(&stage.role("operator", &statements).await).await;
    let context = |method: &'static str, path: String, body: Value| {
        let (stage, key) = (&stage, key.clone());
        async move {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let headers = [("content-type", "application/json")];
            let shape = Shape { method, headers: &headers, body: &body, ..Shape::post("eks", &path) };
            stage.send(shape, Some(&key)).await.code()
        }
    };
    assert_eq!(context("GET", "/clusters/c/fargate-profiles/p".into(), Value::Null).await, "");
    let entry = |group: &str, kind: &str| json!({ "principalArn": pods, "kubernetesGroups": [group], "type": kind });
    let entries = "/clusters/c/access-entries";
    assert_eq!(context("POST", entries.into(), entry("admins", "STANDARD")).await, "AccessDeniedException");
    assert_eq!(context("POST", entries.into(), entry("viewers", "EC2_LINUX")).await, "AccessDeniedException");
    assert_eq!(context("POST", entries.into(), entry("viewers", "STANDARD")).await, "");
    let policies = format!("{entries}/{}/access-policies", pods.replace(':', "%3A").replace('/', "%2F"));
    let with = |policy: &str, scope: Value| json!({ "policyArn": policy, "accessScope": scope });
    let namespace = json!({ "type": "namespace", "namespaces": ["default"] });
    let edit = view.replace("View", "Edit");
    assert_eq!(context("POST", policies.clone(), with(&edit, namespace.clone())).await, "AccessDeniedException");
    assert_eq!(
        context("POST", policies.clone(), with(view, json!({ "type": "cluster" }))).await,
        "AccessDeniedException"
    );
    assert_eq!(context("POST", policies, with(view, namespace)).await, "");
}

#[tokio::test]
async fn an_entry_of_nodes_has_no_groups_and_no_policies() {
    let stage = Stage::start();
    let pods = cluster(&stage).await;
    let entries = "/clusters/c/access-entries";
    let entry = |groups: Value| json!({ "principalArn": pods, "type": "EC2_LINUX", "kubernetesGroups": groups });
    let refused = stage.eks("POST", entries, entry(json!(["nodes"]))).await;
    assert!(refused.message().starts_with("kubernetesGroups cannot be specified"), "{}", refused.text);
    assert_eq!(stage.eks("POST", entries, entry(json!([]))).await.code(), "");
    let path = format!("{entries}/{}", pods.replace(':', "%3A").replace('/', "%2F"));
    let change = json!({ "kubernetesGroups": ["nodes"] });
    assert_eq!(stage.eks("POST", &path, change).await.code(), "InvalidParameterException");
    let policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";
    let associate = json!({ "policyArn": policy, "accessScope": { "type": "cluster" } });
    assert_eq!(
        stage.eks("POST", &format!("{path}/access-policies"), associate).await.code(),
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn the_first_cluster_brings_a_role_of_eks_itself_that_nobody_changes() {
    let stage = Stage::start();
    let name = "AWSServiceRoleForAmazonEKS";
    let role = [("Action", "GetRole"), ("RoleName", name)];
    assert_eq!(stage.query("iam", &role).await.code(), "NoSuchEntity");
    cluster(&stage).await;
    let found = stage.query("iam", &role).await;
    assert!(found.text.contains(&format!(":role/aws-service-role/eks.amazonaws.com/{name}</Arn>")), "{}", found.text);
    for change in [
        vec![("Action", "DeleteRole"), ("RoleName", name)],
        vec![
            ("Action", "AttachRolePolicy"),
            ("RoleName", name),
            ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ],
    ] {
        assert_eq!(stage.query("iam", &change).await.code(), "UnmodifiableEntity");
    }
}
