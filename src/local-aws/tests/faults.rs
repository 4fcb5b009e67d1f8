//! Each fault of the profile by itself: what it answers, and that it passes.

use std::time::Duration;

use serde_json::{Value, json};

use super::signer::Shape;
use super::{ACCOUNT, Answer, Stage};

fn stage(faults: &str) -> Stage {
    Stage::with(faults.parse().unwrap())
}

async fn role(stage: &Stage, name: &str, service: &str) -> String {
    let trust = json!([{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }]);
    stage.role_trusting(name, &trust).await;
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn cluster(role: &str) -> Value {
    json!({ "name": "c", "roleArn": role, "resourcesVpcConfig": { "subnetIds": ["subnet-a", "subnet-b"] } })
}

async fn active(stage: &Stage) {
    let role = role(stage, "cluster", "eks.amazonaws.com").await;
    stage.eks("POST", "/clusters", cluster(&role)).await.ok();
    stage
        .until("an ACTIVE cluster", async |stage| {
            let answer = stage.eks("GET", "/clusters/c", Value::Null).await.ok();
            (answer["cluster"]["status"] == "ACTIVE").then_some(())
        })
        .await;
}

/// Repeats a call, a second after the other, until it is taken; gives the refusals that came before.
async fn refusals(stage: &Stage, call: impl AsyncFn(&Stage) -> Answer) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for _ in 0..200 {
        let answer = call(stage).await;
        if answer.status == 200 {
            return found;
        }
        found.push((answer.code(), answer.message()));
        stage.handle.advance(Duration::from_secs(1));
    }
    panic!("it never passes: {:?}", found.last());
}

#[tokio::test]
async fn roles_late_gives_all_five_texts_of_eks() {
    let mut texts = std::collections::BTreeSet::new();
    for seed in 0..6 {
        let stage = stage(&format!("roles-late:{seed}"));
        let role = role(&stage, "cluster", "eks.amazonaws.com").await;
        let found = refusals(&stage, async |stage| stage.eks("POST", "/clusters", cluster(&role)).await).await;
        assert!(!found.is_empty());
        texts.extend(found.into_iter().map(|(_, text)| text));
    }
    for part in ["does not exist", "Error in role params", "trusted entity", "Managed Policies", "policy must include"]
    {
        assert!(texts.iter().any(|text| text.contains(part)), "{part} in {texts:?}");
    }
}

#[tokio::test]
async fn roles_late_refuses_a_new_pod_execution_role() {
    let stage = stage("roles-late:1");
    let role_of_cluster = role(&stage, "cluster", "eks.amazonaws.com").await;
    refusals(&stage, async |stage| stage.eks("POST", "/clusters", cluster(&role_of_cluster)).await).await;
    stage
        .until("an ACTIVE cluster", async |stage| {
            let answer = stage.eks("GET", "/clusters/c", Value::Null).await.ok();
            (answer["cluster"]["status"] == "ACTIVE").then_some(())
        })
        .await;
    let pods = role(&stage, "pods", "eks-fargate-pods.amazonaws.com").await;
    let body = json!({ "fargateProfileName": "p", "podExecutionRoleArn": pods, "subnets": ["subnet-a"],
        "selectors": [{ "namespace": "n" }] });
    let found = refusals(&stage, async |stage| stage.eks("POST", "/clusters/c/fargate-profiles", body.clone()).await);
    let found = found.await;
    assert!(found[0].1.contains("Misconfigured PodExecutionRole Trust Policy"), "{found:?}");
}

#[tokio::test]
async fn iam_reads_late_does_not_know_a_new_role_now_and_then() {
    let stage = stage("iam-reads-late:3");
    role(&stage, "r", "ec2.amazonaws.com").await;
    let mut codes = Vec::new();
    for _ in 0..12 {
        codes.push(stage.query("iam", &[("Action", "GetRole"), ("RoleName", "r")]).await.code());
    }
    assert!(codes.iter().any(|code| code == "NoSuchEntity") && codes.iter().any(String::is_empty), "{codes:?}");
    stage.handle.advance(Duration::from_secs(11));
    assert_eq!(stage.query("iam", &[("Action", "GetRole"), ("RoleName", "r")]).await.code(), "");
}

#[tokio::test]
async fn iam_busy_refuses_a_second_change_of_a_role_and_one_of_many_that_are_made() {
    let stage = stage("iam-busy:1");
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "ec2.amazonaws.com" } }] })
    .to_string();
    let mut made = Vec::new();
    for name in ["r", "s", "t", "u", "v", "w"] {
        let call = [("Action", "CreateRole"), ("RoleName", name), ("AssumeRolePolicyDocument", trust.as_str())];
        made.extend(refusals(&stage, async |stage| stage.query("iam", &call).await).await);
    }
    assert!(!made.is_empty() && made.iter().all(|(code, _)| code == "ConcurrentModification"), "{made:?}");
    // IAM's model lists no such error of it.
    let put = [("Action", "PutRolePolicy"), ("RoleName", "r"), ("PolicyName", "p"), ("PolicyDocument", POLICY)];
    for _ in 0..12 {
        assert_eq!(stage.query("iam", &put).await.code(), "");
    }
    let tag = [("Action", "TagRole"), ("RoleName", "r"), ("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")];
    let mut codes = Vec::new();
    for _ in 0..12 {
        codes.push(stage.query("iam", &tag).await.code());
    }
    assert!(codes.iter().any(|code| code == "ConcurrentModification"), "{codes:?}");
    refusals(&stage, async |stage| stage.query("iam", &tag).await).await;
}

#[tokio::test]
async fn iam_deletes_late_does_not_see_that_the_last_policy_is_off() {
    let stage = stage("iam-deletes-late:1");
    stage.role("r", &json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }])).await;
    let off = [("Action", "DeleteRolePolicy"), ("RoleName", "r"), ("PolicyName", "inline")];
    assert_eq!(stage.query("iam", &off).await.code(), "");
    let delete = [("Action", "DeleteRole"), ("RoleName", "r")];
    let found = refusals(&stage, async |stage| stage.query("iam", &delete).await).await;
    assert!(found.len() >= 2 && found.iter().all(|(code, _)| code == "DeleteConflict"), "{found:?}");
}

#[tokio::test]
async fn issuer_late_lets_iam_not_reach_a_new_cluster() {
    let stage = stage("issuer-late:1");
    active(&stage).await;
    let make = [
        ("Action", "CreateOpenIDConnectProvider"),
        ("Url", "https://127.0.0.1:1/c"),
        ("ClientIDList.member.1", "sts.amazonaws.com"),
    ];
    let found = refusals(&stage, async |stage| stage.query("iam", &make).await).await;
    assert!(found.len() >= 9 && found.iter().all(|(code, _)| code == "OpenIdIdpCommunicationError"), "{found:?}");
}

#[tokio::test]
async fn hidden_update_refuses_changes_of_a_cluster_that_is_active() {
    let stage = stage("hidden-update:1");
    active(&stage).await;
    let body = json!({ "addonName": "coredns" });
    let found = refusals(&stage, async |stage| stage.eks("POST", "/clusters/c/addons", body.clone()).await).await;
    assert!(found.len() >= 4 && found.iter().all(|(code, _)| code == "ResourceInUseException"), "{found:?}");
    assert!(found[0].1.contains("update in progress"), "{found:?}");
}

#[tokio::test]
async fn updates_fail_now_and_then_and_leave_the_cluster_active() {
    let stage = stage("updates-fail:1");
    active(&stage).await;
    let mut outcomes = Vec::new();
    for _ in 0..8 {
        // One that failed has changed nothing, and EKS refuses an update to what is there already.
        let now = stage.eks("GET", "/clusters/c", Value::Null).await.ok();
        let private = now["cluster"]["resourcesVpcConfig"]["endpointPrivateAccess"] == false;
        let body = json!({ "resourcesVpcConfig": { "endpointPrivateAccess": private, "endpointPublicAccess": true } });
        let begun = stage.eks("POST", "/clusters/c/update-config", body).await.ok();
        let shown = stage.eks("GET", "/clusters/c", Value::Null).await.ok();
        assert_eq!(shown["cluster"]["status"], "ACTIVE");
        let path = format!("/clusters/c/updates/{}", begun["update"]["id"].as_str().unwrap());
        let status = stage
            .until("the update's end", async |stage| {
                let update = stage.eks("GET", &path, Value::Null).await.ok();
                let status = update["update"]["status"].as_str().unwrap().to_owned();
                (status != "InProgress").then_some(status)
            })
            .await;
        let now = stage.eks("GET", "/clusters/c", Value::Null).await.ok();
        let is_private = now["cluster"]["resourcesVpcConfig"]["endpointPrivateAccess"] == private;
        assert_eq!(is_private, status == "Successful", "{now}");
        outcomes.push(status);
    }
    assert!(
        outcomes.iter().any(|one| one == "Failed") && outcomes.iter().any(|one| one == "Successful"),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn cluster_not_found_text_is_eks_other_form() {
    let stage = stage("cluster-not-found-text");
    let answer = stage.eks("GET", "/clusters/c", Value::Null).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "ClientException"));
    assert_eq!(answer.message(), "No cluster found for name: c.");
}

#[tokio::test]
async fn queues_late_shows_a_queue_late_and_a_deleted_one_now_and_then() {
    let stage = stage("queues-late:1");
    stage.sqs("CreateQueue", json!({ "QueueName": "q" })).await.ok();
    let url = async |stage: &Stage| stage.sqs("GetQueueUrl", json!({ "QueueName": "q" })).await;
    let found = refusals(&stage, url).await;
    assert!(!found.is_empty() && found.iter().all(|(code, _)| code.ends_with("QueueDoesNotExist")), "{found:?}");
    let real = url(&stage).await.ok()["QueueUrl"].clone();
    stage.sqs("DeleteQueue", json!({ "QueueUrl": real })).await.ok();
    let mut shown = Vec::new();
    for _ in 0..40 {
        shown.push(url(&stage).await.status == 200);
        stage.handle.advance(Duration::from_secs(1));
    }
    assert!(shown.contains(&true) && shown.contains(&false), "{shown:?}");
    assert!(shown[30..].iter().all(|is_shown| !is_shown), "{shown:?}");
}

#[tokio::test]
async fn networks_late_hides_what_was_just_made_for_a_while() {
    let stage = stage("networks-late:1");
    let made = stage.query("ec2", &[("Action", "CreateVpc"), ("CidrBlock", "10.7.0.0/16")]).await;
    let vpc = made.tag("vpcId");
    let list = [("Action", "DescribeVpcs"), ("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &*vpc)];
    let subnet = [("Action", "CreateSubnet"), ("VpcId", &*vpc), ("CidrBlock", "10.7.0.0/24")];
    assert!(!stage.query("ec2", &list).await.text.contains(&vpc));
    assert_eq!(stage.query("ec2", &subnet).await.code(), "InvalidVpcID.NotFound");
    stage.handle.advance(Duration::from_secs(10));
    assert!(stage.query("ec2", &list).await.text.contains(&vpc));
    assert_eq!(stage.query("ec2", &subnet).await.status, 200);
}

#[tokio::test]
async fn throttling_refuses_some_calls_and_passes() {
    let stage = stage("throttling:1");
    let (mut iam, mut eks, mut ec2) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..120 {
        iam.push(stage.query("iam", &[("Action", "ListRoles")]).await.code());
        eks.push(stage.eks("GET", "/clusters", Value::Null).await.status);
        ec2.push(stage.query("ec2", &[("Action", "DescribeVpcs")]).await.code());
        stage.handle.advance(Duration::from_secs(1));
    }
    let throttled = iam.iter().filter(|code| *code == "Throttling").count();
    assert!((3..40).contains(&throttled), "{throttled} of 120");
    let refused = ec2.iter().filter(|code| *code == "RequestLimitExceeded").count();
    assert!((3..40).contains(&refused) && refused < ec2.len(), "{refused} of 120");
    assert!(eks.contains(&429) && eks.contains(&200), "{eks:?}");
}

/// The sizes are those that EC2 documents; once others have emptied a bucket it stays empty until tokens come.
#[tokio::test]
async fn throttling_of_ec2_lasts_until_tokens_come() {
    let stage = stage("throttling:1");
    let code = async || stage.query("ec2", &[("Action", "DescribeVpcs")]).await.code();
    let passed = async || {
        let mut passed = 0;
        while passed < 200 && code().await.is_empty() {
            passed += 1;
        }
        passed
    };
    assert!(passed().await <= 100);
    for _ in 0..10 {
        assert_eq!(code().await, "RequestLimitExceeded");
    }
    stage.handle.advance(Duration::from_secs(1));
    assert!((1..=20).contains(&passed().await));
}

#[tokio::test]
async fn foreign_roles_are_listed_and_five_of_them_closed() {
    let stage = stage("foreign-roles");
    let listed = stage.query("iam", &[("Action", "ListRoles"), ("MaxItems", "1000")]).await;
    assert_eq!(listed.text.matches("<RoleName>").count(), 500);
    let read = async |name: &str| stage.query("iam", &[("Action", "GetRole"), ("RoleName", name)]).await.code();
    assert_eq!(read("AWSControlTowerExecution").await, "AccessDenied");
    assert_eq!(read("team-77-service").await, "");
}

#[tokio::test]
async fn slow_takes_minutes_for_a_cluster() {
    let stage = stage("slow:1");
    let role = role(&stage, "cluster", "eks.amazonaws.com").await;
    stage.eks("POST", "/clusters", cluster(&role)).await.ok();
    let status = async |stage: &Stage| {
        let shown = stage.eks("GET", "/clusters/c", Value::Null).await.ok();
        shown["cluster"]["status"].as_str().unwrap().to_owned()
    };
    stage.handle.advance(Duration::from_secs(8 * 60 - 1));
    assert_eq!(status(&stage).await, "CREATING");
    stage.until("an ACTIVE cluster", async |stage| (status(stage).await == "ACTIVE").then_some(())).await;
}

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"}]}"#;

/// Creates a cluster and a Fargate profile in these subnets; gives the profile's refusal.
async fn profile_in(stage: &Stage, subnets: Value) -> (String, String) {
    active(stage).await;
    let pods = role(stage, "pods", "eks-fargate-pods.amazonaws.com").await;
    let body = json!({ "fargateProfileName": "p", "podExecutionRoleArn": pods, "subnets": subnets,
        "selectors": [{ "namespace": "n" }] });
    let answer = stage.eks("POST", "/clusters/c/fargate-profiles", body).await;
    if answer.status == 200 { (String::new(), String::new()) } else { (answer.code(), answer.message()) }
}

const PRIVATE: [&str; 2] = ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"];

#[tokio::test]
async fn subnets_public_are_refused_for_a_fargate_profile() {
    let (code, text) = profile_in(&stage("subnets-public"), json!(PRIVATE)).await;
    assert_eq!(code, "InvalidParameterException");
    assert_eq!(text, format!("Subnet {} provided in Fargate Profile is not a private subnet", PRIVATE[0]));
    assert_eq!(profile_in(&Stage::start(), json!(PRIVATE)).await.0, "");
}

#[tokio::test]
async fn zone_forbidden_is_refused_for_a_fargate_profile() {
    let (code, text) = profile_in(&stage("zone-forbidden"), json!(PRIVATE)).await;
    assert_eq!(code, "InvalidParameterException");
    assert!(
        text.contains("Availability Zone ap-northeast-1c for Subnet") && text.ends_with("is not supported"),
        "{text}"
    );
    // The other subnet is where it should be.
    assert_eq!(profile_in(&stage("zone-forbidden"), json!([PRIVATE[0]])).await.0, "");
}

#[tokio::test]
async fn quotas_low_take_no_further_cluster() {
    let stage = stage("quotas-low");
    let role = role(&stage, "cluster", "eks.amazonaws.com").await;
    let answer = stage.eks("POST", "/clusters", cluster(&role)).await;
    assert_eq!(answer.code(), "ResourceLimitExceededException");
}

#[tokio::test]
async fn no_way_out_and_vpc_dns_off_are_what_ec2_says() {
    let stage = stage("no-way-out,vpc-dns-off");
    let tables = stage.query("ec2", &[("Action", "DescribeRouteTables")]).await;
    assert!(!tables.text.contains("nat-") && tables.text.contains("igw-"), "{}", tables.text);
    let form =
        [("Action", "DescribeVpcAttribute"), ("VpcId", "vpc-0a1b2c3d4e5f60000"), ("Attribute", "enableDnsSupport")];
    let answer = stage.query("ec2", &form).await;
    assert!(answer.text.contains("<enableDnsSupport><value>false</value></enableDnsSupport>"), "{}", answer.text);
}

#[tokio::test]
async fn without_faults_nothing_is_late() {
    let stage = Stage::start();
    active(&stage).await;
    assert_eq!(stage.query("iam", &[("Action", "GetRole"), ("RoleName", "cluster")]).await.code(), "");
    // The cluster's, and the one that EKS keeps for itself.
    let listed = stage.query("iam", &[("Action", "ListRoles")]).await;
    assert_eq!(listed.text.matches("<RoleName>").count(), 2);
}

#[tokio::test]
async fn an_incident_lasts_for_as_long_as_it_was_begun_for_and_counts_what_it_struck() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    let begin = async |page: &str, headers: &[(&str, &str)]| {
        let path = format!("/_sluice/incidents/{page}");
        stage.send(Shape { headers, ..Shape::post("sqs", &path) }, None).await
    };
    let struck = async |name: &str| {
        let path = format!("/_sluice/incidents/{name}");
        stage.send(Shape { method: "GET", ..Shape::post("sqs", &path) }, None).await.ok()["struck"].clone()
    };
    let count = async || {
        let input = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
        stage.sqs("GetQueueAttributes", input).await.ok()["Attributes"]["ApproximateNumberOfMessages"].clone()
    };
    let send = async || stage.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": "b" })).await;
    assert_eq!(begin("weather?seconds=9", &[]).await.status, 404);
    assert_eq!(begin("sts-denies?seconds=soon", &[]).await.status, 400);
    assert_eq!(begin("sts-denies?seconds=60", &[("origin", "http://page.example")]).await.status, 403);
    assert_eq!(struck("sts-denies").await, Value::Null);

    begin("counts-stale?seconds=60", &[]).await.ok();
    assert_eq!(count().await, "0");
    send().await.ok();
    assert_eq!((count().await, struck("counts-stale").await), ("0".into(), 2.into()));
    stage.handle.advance(Duration::from_mins(1));
    assert_eq!(count().await, "1");
    // Another one begins with the counts of its own time.
    begin("counts-stale?seconds=60", &[]).await.ok();
    assert_eq!(count().await, "1");

    begin("sqs-throttles?seconds=30", &[]).await.ok();
    let refused = send().await;
    assert_eq!((refused.code().as_str(), struck("sqs-throttles").await), ("RequestThrottled", 1.into()));
    stage.handle.advance(Duration::from_secs(30));
    send().await.ok();

    begin("sts-denies?seconds=30", &[]).await.ok();
    let form = [("Action", "AssumeRole"), ("RoleArn", "arn:aws:iam::111122223333:role/r"), ("RoleSessionName", "s")];
    let refused = stage.query("sts", &form).await;
    assert_eq!((refused.status, refused.message().as_str()), (403, "Not authorized to perform sts:AssumeRole"));
    assert_eq!(struck("sts-denies").await, 1);
}
