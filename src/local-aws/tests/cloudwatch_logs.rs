//! CloudWatch Logs: groups, their retention and tags, who may do what with them, and the group of a control plane.

use std::time::Duration;

use serde_json::{Value, json};

use super::signer::{Key, Shape};
use super::{ACCOUNT, Answer, Stage};

async fn logs_as(stage: &Stage, key: &Key, operation: &str, input: Value) -> Answer {
    let target = format!("Logs_20140328.{operation}");
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
    let body = input.to_string();
    stage.send(Shape { headers: &headers, body: &body, ..Shape::post("logs", "/") }, Some(key)).await
}

async fn logs(stage: &Stage, operation: &str, input: Value) -> Answer {
    logs_as(stage, &stage.administrator, operation, input).await
}

/// The names of the groups that begin so.
async fn names(stage: &Stage, prefix: &str) -> Vec<String> {
    let found = logs(stage, "DescribeLogGroups", json!({ "logGroupNamePrefix": prefix })).await.ok();
    let groups = found["logGroups"].as_array().unwrap();
    groups.iter().map(|group| group["logGroupName"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_group_has_a_retention_and_tags_and_goes() {
    let stage = Stage::start();
    let create = json!({ "logGroupName": "/aws/eks/c/cluster", "tags": { "team": "blue" } });
    assert_eq!(logs(&stage, "CreateLogGroup", create.clone()).await.code(), "");
    assert_eq!(logs(&stage, "CreateLogGroup", create).await.code(), "ResourceAlreadyExistsException");
    let name = json!({ "logGroupName": "/aws/eks/c/cluster" });
    let retain = |days: u64| json!({ "logGroupName": "/aws/eks/c/cluster", "retentionInDays": days });
    assert_eq!(logs(&stage, "PutRetentionPolicy", retain(31)).await.code(), "InvalidParameterException");
    assert_eq!(logs(&stage, "PutRetentionPolicy", retain(30)).await.code(), "");
    let shown = logs(&stage, "DescribeLogGroups", json!({})).await.ok();
    let group = &shown["logGroups"][0];
    let arn = format!("arn:aws:logs:ap-northeast-1:{ACCOUNT}:log-group:/aws/eks/c/cluster");
    assert_eq!((&group["retentionInDays"], &group["logGroupArn"]), (&json!(30), &json!(arn)));
    assert_eq!(group["arn"], format!("{arn}:*"));
    assert_eq!(logs(&stage, "DeleteRetentionPolicy", name.clone()).await.code(), "");
    let shown = logs(&stage, "DescribeLogGroups", json!({})).await.ok();
    assert_eq!(shown["logGroups"][0].get("retentionInDays"), None);

    let tag = json!({ "resourceArn": arn, "tags": { "stage": "test" } });
    assert_eq!(logs(&stage, "TagResource", tag).await.code(), "");
    assert_eq!(logs(&stage, "UntagResource", json!({ "resourceArn": arn, "tagKeys": ["team"] })).await.code(), "");
    let tags = logs(&stage, "ListTagsForResource", json!({ "resourceArn": arn })).await.ok();
    assert_eq!(tags["tags"], json!({ "stage": "test" }));
    assert_eq!(logs(&stage, "DeleteLogGroup", name.clone()).await.code(), "");
    for operation in ["DeleteLogGroup", "DeleteRetentionPolicy"] {
        assert_eq!(logs(&stage, operation, name.clone()).await.code(), "ResourceNotFoundException");
    }
}

#[tokio::test]
async fn groups_come_in_pages_by_the_beginning_or_a_part_of_their_names() {
    let stage = Stage::start();
    for name in ["/a/1", "/a/2", "/b/1"] {
        logs(&stage, "CreateLogGroup", json!({ "logGroupName": name })).await.ok();
    }
    assert_eq!(names(&stage, "/a").await, ["/a/1", "/a/2"]);
    let first = logs(&stage, "DescribeLogGroups", json!({ "limit": 2 })).await.ok();
    let next = json!({ "limit": 2, "nextToken": first["nextToken"] });
    let second = logs(&stage, "DescribeLogGroups", next).await.ok();
    assert_eq!(second["logGroups"][0]["logGroupName"], "/b/1");
    assert_eq!(second.get("nextToken"), None);
    let both = json!({ "logGroupNamePrefix": "/a", "logGroupNamePattern": "1" });
    assert_eq!(logs(&stage, "DescribeLogGroups", both).await.code(), "InvalidParameterException");
    let refused = logs(&stage, "CreateLogGroup", json!({ "logGroupName": "a b" })).await;
    assert_eq!(refused.code(), "InvalidParameterException");
}

#[tokio::test]
async fn each_call_needs_its_permission_on_the_group_and_tags_need_their_own() {
    let stage = Stage::start();
    let of = |name: &str| format!("arn:aws:logs:ap-northeast-1:{ACCOUNT}:log-group:{name}");
    let statements = json!([
        { "Effect": "Allow", "Action": "logs:CreateLogGroup", "Resource": of("/mine*") },
        { "Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*" },
    ]);
    let key = stage.session(&stage.role("narrow", &statements).await).await;
    let create = |name: &str, tags: Value| {
        let (stage, key, input) = (&stage, key.clone(), json!({ "logGroupName": name, "tags": tags }));
        async move { logs_as(stage, &key, "CreateLogGroup", input).await }
    };
    let other = create("/other", json!({})).await;
    assert_eq!(other.code(), "AccessDeniedException");
    assert!(other.message().contains(&format!("logs:CreateLogGroup on resource: {}:log-stream:", of("/other"))));
    assert_eq!(create("/mine/1", json!({ "team": "blue" })).await.code(), "AccessDeniedException");
    assert_eq!(create("/mine/1", json!({})).await.code(), "");
    assert_eq!(logs_as(&stage, &key, "DescribeLogGroups", json!({})).await.code(), "");
    let name = json!({ "logGroupName": "/mine/1" });
    assert_eq!(logs_as(&stage, &key, "DeleteLogGroup", name).await.code(), "AccessDeniedException");
}

#[tokio::test]
async fn logs_late_makes_the_group_of_a_control_plane_anew_after_its_end() {
    let stage = Stage::with("logs-late:1".parse().unwrap());
    let trust =
        json!([{ "Effect": "Allow", "Principal": { "Service": "eks.amazonaws.com" }, "Action": "sts:AssumeRole" }]);
    stage.role_trusting("cluster", &trust).await;
    let body = json!({ "name": "c", "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/cluster"),
        "resourcesVpcConfig": { "subnetIds": ["subnet-a", "subnet-b"] },
        "logging": { "clusterLogging": [{ "types": ["api"], "enabled": true }] } });
    stage.eks("POST", "/clusters", body).await.ok();
    let group = "/aws/eks/c/cluster";
    let shows = async |stage: &Stage| (names(stage, group).await == [group]).then_some(());
    stage.until("the group that EKS makes", shows).await;
    stage
        .until("its deletion", async |stage| {
            (stage.eks("DELETE", "/clusters/c", Value::Null).await.status == 200).then_some(())
        })
        .await;
    let gone = async |stage: &Stage| (stage.eks("GET", "/clusters/c", Value::Null).await.status == 404).then_some(());
    stage.until("the cluster's end", gone).await;
    logs(&stage, "DeleteLogGroup", json!({ "logGroupName": group })).await.ok();
    assert!(names(&stage, group).await.is_empty());
    stage.until("the group's return", shows).await;
    logs(&stage, "DeleteLogGroup", json!({ "logGroupName": group })).await.ok();
    for _ in 0..120 {
        stage.handle.advance(Duration::from_secs(1));
        assert!(names(&stage, group).await.is_empty(), "it comes back once");
    }
}
