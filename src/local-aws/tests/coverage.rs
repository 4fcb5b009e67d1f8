//! The tables of what is read and refused, held against the service models and the handlers.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Stage;
use super::signer::Shape as Sent;
use crate::coverage::{self, SERVICES};
use crate::model::{self, Model, Shape};
use crate::request::Service;
use crate::{intake, model::Member};

/// The paths of an input's scalars, through structures, lists and maps.
fn leaves(model: &Model, shape: &str, path: &str, found: &mut BTreeSet<String>) {
    match model.shape(shape).unwrap() {
        Shape::Structure { members, .. } => members.iter().for_each(|(name, member)| {
            leaves(model, &member.shape, &format!("{path}.{name}"), found);
        }),
        Shape::List { member, .. } => leaves(model, member, path, found),
        Shape::Map { value, .. } => leaves(model, value, path, found),
        _ => {
            found.insert(path.trim_start_matches('.').to_owned());
        }
    }
}

fn scalars<'a>(model: &Model, members: impl IntoIterator<Item = (&'a String, &'a Member)>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    members.into_iter().for_each(|(name, member)| leaves(model, &member.shape, name, &mut found));
    found
}

/// A value of a shape that says something.
fn sample(model: &Model, shape: &str) -> Value {
    match model.shape(shape).unwrap() {
        Shape::Structure { members, .. } => members
            .iter()
            .map(|(name, member)| (name.clone(), sample(model, &member.shape)))
            .collect::<Map<_, _>>()
            .into(),
        Shape::List { member, .. } => json!([sample(model, member)]),
        Shape::Map { value, .. } => json!({ "key": sample(model, value) }),
        Shape::Integer { bounds } => json!(bounds.min.unwrap_or(1).max(1)),
        Shape::Boolean => json!(true),
        Shape::String { .. } | Shape::Blob => json!("something"),
    }
}

#[test]
fn every_member_of_every_served_input_is_read_or_refused() {
    for (service, name) in SERVICES {
        let model = model::of(service);
        assert!(!coverage::of(service).is_empty() && !model.operations.is_empty(), "{name}");
        for served in coverage::of(service) {
            let (members, _) =
                model.input(served.operation).unwrap_or_else(|| panic!("{name} has no {}", served.operation));
            let reads: BTreeSet<_> = served.reads.split_whitespace().map(str::to_owned).collect();
            let refused = |leaf: &String| {
                served.refuses.iter().any(|one| leaf == one.member || leaf.starts_with(&format!("{}.", one.member)))
            };
            let all = scalars(model, members);
            let rest: BTreeSet<_> = all.iter().filter(|leaf| !refused(leaf)).cloned().collect();
            assert_eq!(reads, rest, "{name} {}: read and neither refused nor gone from the model", served.operation);
            for one in served.refuses {
                let covers = all.iter().any(|leaf| leaf == one.member || leaf.starts_with(&format!("{}.", one.member)));
                assert!(covers, "{name} {} refuses {}, which is not there", served.operation, one.member);
            }
        }
    }
}

/// The text of a service's handlers.
fn sources(service: Service) -> String {
    let folder = match service {
        Service::Sqs => "sqs",
        Service::Sts => "sts",
        Service::Iam => "iam",
        Service::Eks => "eks",
        Service::Ecr => "ecr",
        Service::Tagging => "tagging",
        Service::CloudwatchLogs => "cloudwatch_logs",
        Service::Ec2 => "ec2",
        Service::Quotas => "quotas",
    };
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join(format!("{folder}.rs"))];
    files.extend(std::fs::read_dir(root.join(folder)).into_iter().flatten().map(|file| file.unwrap().path()));
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn what_is_said_to_be_read_is_named_by_a_handler() {
    let mut unread = Vec::new();
    for (service, name) in SERVICES {
        let (model, text) = (model::of(service), sources(service));
        for served in coverage::of(service) {
            let (members, _) = model.input(served.operation).unwrap();
            // Parts of an EKS address come to the handlers as segments.
            let in_address =
                |read: &str| members.get(read).is_some_and(|member| member.location.as_deref() == Some("uri"));
            let named = |read: &str| text.contains(&format!("\"{}\"", read.rsplit('.').next().unwrap_or(read)));
            let rest = served.reads.split_whitespace().filter(|read| !in_address(read) && !named(read));
            unread.extend(rest.map(|read| format!("{name} {} {read}", served.operation)));
        }
    }
    assert_eq!(unread, [""; 0]);
}

#[test]
fn what_is_refused_is_refused_by_name() {
    for (service, _) in SERVICES {
        let model = model::of(service);
        for served in coverage::of(service) {
            let (members, _) = model.input(served.operation).unwrap();
            for one in served.refuses.iter().filter(|one| !one.moot) {
                let path: Vec<_> = one.member.split('.').collect();
                let top = members.get(path[0]).unwrap();
                let whole = sample(model, &top.shape);
                // Of the top member only what leads to the refused one.
                let mut value = path[1..].iter().fold(&whole, |value, part| &value[*part]).clone();
                for part in path[1..].iter().rev() {
                    value = json!({ (*part): value });
                }
                let fault = intake::check(service, served.operation, &json!({ path[0]: value })).unwrap_err();
                assert!(
                    fault.message.contains(&format!("parameter {} of {}", one.member, served.operation)),
                    "{}",
                    fault.message
                );
                if let Some(but) = one.but {
                    let mut value = json!(but);
                    for part in path[1..].iter().rev() {
                        value = json!({ (*part): value });
                    }
                    let words = intake::check(service, served.operation, &json!({ path[0]: value }))
                        .err()
                        .map(|fault| fault.message);
                    assert!(!words.unwrap_or_default().contains("does not support"), "{but}");
                }
            }
            let nonsense = json!({ "Nonsense": "x" });
            let fault = intake::check(service, served.operation, &nonsense).unwrap_err();
            assert!(fault.message.contains("no parameter Nonsense"), "{}", fault.message);
        }
    }
}

#[test]
fn bounds_are_refused_in_awss_words_all_at_once() {
    let refusal = |service, operation: &str, input: Value| intake::check(service, operation, &input).unwrap_err();
    let long = "x".repeat(65);
    let fault = refusal(Service::Iam, "CreateRole", json!({ "RoleName": long, "MaxSessionDuration": "1" }));
    assert_eq!(fault.code, "ValidationError");
    let expected = format!(
        "3 validation errors detected: Value '1' at 'maxSessionDuration' failed to satisfy constraint: Member must have value \
         greater than or equal to 3600; Value '{long}' at 'roleName' failed to satisfy constraint: Member must have length \
         less than or equal to 64; Value null at 'assumeRolePolicyDocument' failed to satisfy constraint: Member must not be null"
    );
    assert_eq!(fault.message, expected);
    let token =
        json!({ "RoleArn": "arn:aws:iam::111122223333:role/r", "RoleSessionName": "a b", "WebIdentityToken": "x" });
    let fault = refusal(Service::Sts, "AssumeRoleWithWebIdentity", token);
    assert!(
        fault.message.contains("pattern: [\\w+=,.@-]*") && fault.message.contains("Value at 'webIdentityToken'"),
        "{}",
        fault.message
    );
    for (service, operation, input, code, words) in [
        (
            Service::Eks,
            "CreateFargateProfile",
            json!({ "selectors": {} }),
            "MalformedInput",
            "selectors must be a list",
        ),
        (
            Service::Eks,
            "CreateAddon",
            json!({ "resolveConflicts": "MAYBE" }),
            "InvalidParameterException",
            "enum value set: [OVERWRITE",
        ),
        (
            Service::Eks,
            "DescribeClusterVersions",
            json!({ "maxResults": "101" }),
            "InvalidParameterException",
            "less than or equal to 100",
        ),
        (
            Service::Iam,
            "TagRole",
            json!({ "RoleName": "r", "Tags": [{ "Value": "v" }] }),
            "ValidationError",
            "'tags.1.member.key'",
        ),
        (Service::Iam, "ListPolicies", json!({ "Scope": "Mine" }), "ValidationError", "enum value set"),
        (
            Service::Iam,
            "CreateRole",
            json!({ "Tags": [{ "Colour": "red" }] }),
            "ValidationError",
            "no parameter tags.1.member.Colour",
        ),
        (Service::Sqs, "SendMessage", json!({ "MessageBody": 7 }), "MalformedInput", "messageBody must be a string"),
        (
            Service::Sqs,
            "SendMessageBatch",
            json!({ "Entries": [{ "Id": ["a"] }] }),
            "MalformedInput",
            "must be a string",
        ),
        (Service::Sts, "AssumeRole", json!({ "DurationSeconds": "soon" }), "ValidationError", "must be a whole number"),
    ] {
        let fault = refusal(service, operation, input);
        assert_eq!(fault.code, code, "{}", fault.message);
        assert!(fault.message.contains(words), "{}", fault.message);
    }
}

#[tokio::test]
async fn an_operation_that_is_not_offered_is_named() {
    let stage = Stage::start();
    let sqs = stage.sqs("PaintQueue", json!({})).await;
    assert_eq!(sqs.code(), "UnknownOperationException");
    for answer in [
        stage.query("iam", &[("Action", "CreateUser"), ("UserName", "ann")]).await,
        stage.query("sts", &[("Action", "AssumeRoleWithSAML")]).await,
    ] {
        assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidAction"));
        assert!(answer.message().starts_with("The local cloud does not offer "), "{}", answer.text);
    }
    let nodes = stage.eks("POST", "/clusters/c/node-groups", json!({ "nodegroupName": "n" })).await;
    assert!(nodes.message().starts_with("The local cloud does not offer CreateNodegroup of EKS"), "{}", nodes.text);
    let page = stage.send(Sent { method: "GET", ..Sent::post("sqs", "/_sluice/operations") }, None).await.ok();
    let refused = &page["services"]["EKS"]["CreateCluster"]["refuses"]["outpostConfig"];
    assert_eq!(refused, "the local cloud has no Outposts");
}
