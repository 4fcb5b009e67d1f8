//! EKS: states over time, and what is refused meanwhile.

use serde_json::{Value, json};

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
    let id = format!("/clusters/c/updates/{}", update["update"]["id"].as_str().unwrap());
    assert_eq!(stage.eks("GET", &id, Value::Null).await.ok()["update"]["status"], "InProgress");
    reach(&stage, path, "addon", "ACTIVE").await;
    reach(&stage, &id, "update", "Successful").await;
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
