//! Quotas: AWS's defaults, and what a fault leaves of them.

use serde_json::{Value, json};

use super::signer::{Key, Shape};
use super::{Answer, Stage};

async fn ask(stage: &Stage, key: &Key, operation: &str, service: &str, code: &str) -> Answer {
    let target = format!("ServiceQuotasV20190624.{operation}");
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
    let body = json!({ "ServiceCode": service, "QuotaCode": code }).to_string();
    stage.send(Shape { headers: &headers, body: &body, ..Shape::post("servicequotas", "/") }, Some(key)).await
}

#[tokio::test]
async fn a_quota_has_aws_s_default_and_a_fault_lowers_it() {
    let (usual, low) = (Stage::start(), Stage::with("quotas-low".parse().unwrap()));
    let value = async |stage: &Stage, operation: &str| {
        let answer = ask(stage, &stage.administrator, operation, "fargate", "L-3032A538").await.ok();
        assert_eq!(answer["Quota"]["QuotaName"], "Fargate On-Demand vCPU resource count");
        answer["Quota"]["Value"].to_string()
    };
    assert_eq!(value(&usual, "GetServiceQuota").await, "6.0");
    assert_eq!(value(&low, "GetServiceQuota").await, "1.0");
    assert_eq!(value(&low, "GetAWSDefaultServiceQuota").await, "6.0");
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_refused_in_its_words() {
    let stage = Stage::start();
    let none = ask(&stage, &stage.administrator, "GetServiceQuota", "eks", "L-00000000").await;
    assert_eq!(none.code(), "NoSuchResourceException");
    let arn = stage.role("nobody", &json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }])).await;
    let key = stage.session(&arn).await;
    let refused = ask(&stage, &key, "GetServiceQuota", "eks", "L-1194D53C").await;
    assert_eq!(refused.code(), "AccessDeniedException");
    let other = ask(&stage, &stage.administrator, "ListServices", "eks", "x").await;
    assert!(other.message().contains("does not offer ListServices of Service Quotas"), "{}", other.text);
    assert_ne!(stage.eks("GET", "/clusters", Value::Null).await.status, 400);
}
