//! The identity modes against a scripted STS.

use std::collections::BTreeMap;

use keda::api::{AuthPodIdentity, ScaleTriggers};

use super::*;
use crate::Workload;
use crate::scripted::{self, Seen, Service};

const ROLE: &str = "arn:aws:iam::111122223333:role/scaler";

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn trigger(pairs: &[(&str, &str)]) -> ScaleTriggers {
    let mut metadata = map(&[("queueURL", "orders"), ("awsRegion", "eu-west-1"), ("scaleOnInFlight", "false")]);
    metadata.extend(map(pairs));
    ScaleTriggers { type_: "aws-sqs-queue".into(), metadata, ..Default::default() }
}

async fn context(service: &Service, token_file: Option<PathBuf>) -> Context {
    Context {
        identities: Arc::new(Identities::new(service.session().await, token_file, Clock::real())),
        environment: map(&[("ID", "AKIAENV"), ("SECRET", "hush")]),
        authentication: BTreeMap::new(),
        pod_identity: None,
        workload: Workload { service_account: "shop/orders".into(), role_arn: None },
    }
}

fn provider(provider: PodIdentityProvider) -> AuthPodIdentity {
    AuthPodIdentity { provider, ..Default::default() }
}

fn identity(context: &Context, pairs: &[(&str, &str)]) -> Result<Identity, String> {
    let trigger = trigger(pairs);
    let mut metadata = Metadata::new("aws-sqs-queue", &trigger, context);
    let identity = chosen(&mut metadata, context);
    metadata.finish().map(|()| identity).map_err(|error| error.to_string())
}

fn one_message(seen: &Seen) -> (u16, String) {
    match seen.operation.as_str() {
        "AssumeRole" => scripted::credentials("AssumeRole", "ASIAASSUMED"),
        "AssumeRoleWithWebIdentity" => scripted::credentials("AssumeRoleWithWebIdentity", "ASIAWEB"),
        "GetCallerIdentity" => scripted::caller_identity(),
        _ => scripted::attributes(&[("ApproximateNumberOfMessages", "1")]),
    }
}

fn without_web_identity(seen: &Seen) -> (u16, String) {
    if seen.operation == "AssumeRoleWithWebIdentity" { scripted::sts_denied() } else { one_message(seen) }
}

fn token_file() -> (tempfile::NamedTempFile, Option<PathBuf>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "token").unwrap();
    let path = file.path().to_owned();
    (file, Some(path))
}

async fn read_as_role(context: &mut Context) -> crate::Result<keda::decision::Sample> {
    context.pod_identity = Some(AuthPodIdentity { role_arn: Some(ROLE.into()), ..provider(PodIdentityProvider::Aws) });
    let scaler = crate::build(&trigger(&[]), 0, context)?;
    scaler.metrics_and_activity("s0-aws-sqs-orders").await
}

#[tokio::test]
async fn provider_aws_has_three_modes() {
    let service = Service::start(one_message).await;
    let mut context = context(&service, None).await;
    context.pod_identity = Some(provider(PodIdentityProvider::Aws));
    assert_eq!(identity(&context, &[]), Ok(Identity::Operator));
    let aws = || provider(PodIdentityProvider::Aws);
    context.pod_identity = Some(AuthPodIdentity { role_arn: Some(ROLE.into()), ..aws() });
    assert_eq!(identity(&context, &[("identityOwner", "operator")]), Ok(Identity::Role(ROLE.into())));
    context.pod_identity = Some(AuthPodIdentity { identity_owner: Some(IdentityOwner::Workload), ..aws() });
    let error = identity(&context, &[]).unwrap_err();
    assert!(error.contains("shop/orders") && error.contains("eks.amazonaws.com/role-arn"), "{error}");
    context.workload.role_arn = Some("arn:w".into());
    assert_eq!(identity(&context, &[]), Ok(Identity::Role("arn:w".into())));
    let both = AuthPodIdentity { identity_owner: Some(IdentityOwner::Workload), role_arn: Some(ROLE.into()), ..aws() };
    context.pod_identity = Some(both);
    assert!(identity(&context, &[]).unwrap_err().contains("exclude"));
}

#[tokio::test]
async fn legacy_keys_follow_the_order_of_keda() {
    let service = Service::start(one_message).await;
    let mut context = context(&service, None).await;
    assert_eq!(identity(&context, &[("identityOwner", "operator")]), Ok(Identity::Operator));
    assert!(identity(&context, &[("identityOwner", "me")]).unwrap_err().contains("unknown"));
    let error = identity(&context, &[]).unwrap_err();
    assert!(error.contains("awsAccessKeyID not found") && error.contains("provider aws"), "{error}");
    let keys = [("awsAccessKeyIDFromEnv", "ID"), ("awsSecretAccessKeyFromEnv", "SECRET")];
    let static_ = |id: &str, secret: &str, token: Option<&str>| Identity::Static {
        id: id.into(),
        secret: secret.into(),
        token: token.map(str::to_owned),
    };
    assert_eq!(identity(&context, &keys), Ok(static_("AKIAENV", "hush", None)));
    assert!(identity(&context, &keys[..1]).unwrap_err().contains("awsSecretAccessKey not found"));
    context.authentication = map(&[("awsAccessKeyId", "AKIAP"), ("awsSecretAccessKey", "p"), ("awsSessionToken", "t")]);
    assert_eq!(identity(&context, &keys), Ok(static_("AKIAP", "p", Some("t"))));
    context.authentication.insert("awsRoleArn".into(), ROLE.into());
    assert_eq!(identity(&context, &keys), Ok(Identity::AssumedRole(ROLE.into())));
    context.pod_identity = Some(provider(PodIdentityProvider::AwsEks));
    context.workload.role_arn = Some("arn:w".into());
    assert_eq!(identity(&context, &keys), Ok(Identity::AssumedRole("arn:w".into())));
    assert_eq!(format!("{:?}", static_("AKIA", "hush", None)), "Static");
}

#[tokio::test]
async fn a_role_is_assumed_with_the_web_identity_first() {
    let service = Service::start(one_message).await;
    let (_file, path) = token_file();
    let mut context = context(&service, path).await;
    read_as_role(&mut context).await.unwrap();
    assert_eq!(service.operations(), ["AssumeRoleWithWebIdentity", "GetCallerIdentity", "GetQueueAttributes"]);
    assert_eq!(service.seen().last().unwrap().key, "ASIAWEB");
    assert!(service.seen()[0].body.contains("RoleSessionName=KEDA"));
}

#[tokio::test]
async fn a_refused_web_identity_falls_back_to_assume_role_and_is_remembered() {
    let service = Service::start(without_web_identity).await;
    let (_file, path) = token_file();
    let mut context = context(&service, path).await;
    context.pod_identity = Some(AuthPodIdentity { role_arn: Some(ROLE.into()), ..provider(PodIdentityProvider::Aws) });
    let first = crate::build(&trigger(&[]), 0, &context).unwrap();
    let second = crate::build(&trigger(&[]), 1, &context).unwrap();
    first.metrics_and_activity("s0-aws-sqs-orders").await.unwrap();
    second.metrics_and_activity("s1-aws-sqs-orders").await.unwrap();
    assert_eq!(
        service.operations(),
        ["AssumeRoleWithWebIdentity", "AssumeRole", "GetQueueAttributes", "GetQueueAttributes"]
    );
    let seen = service.seen();
    assert_eq!((seen[1].key.as_str(), seen[3].key.as_str()), ("AKIAOPERATOR", "ASIAASSUMED"));
}

#[tokio::test]
async fn when_both_ways_are_refused_the_error_names_both() {
    let service = Service::start(|seen| match seen.operation.as_str() {
        "GetQueueAttributes" => one_message(seen),
        _ => scripted::sts_denied(),
    })
    .await;
    let (_file, path) = token_file();
    let mut context = context(&service, path).await;
    let error = read_as_role(&mut context).await.unwrap_err().to_string();
    for part in ["sts:AssumeRole failed", "AssumeRoleWithWebIdentity", "AccessDenied"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!service.operations().contains(&"GetQueueAttributes".to_owned()));
}

#[tokio::test]
async fn a_read_that_is_refused_says_nothing_of_how_the_role_was_come_by() {
    let script = |seen: &Seen| match seen.operation.as_str() {
        "GetQueueAttributes" => scripted::sqs_denied(),
        _ => without_web_identity(seen),
    };
    let service = Service::start(script).await;
    let (_kept, file) = token_file();
    let error = read_as_role(&mut context(&service, file).await).await.unwrap_err().to_string();
    assert!(error.contains("sqs:GetQueueAttributes") && !error.contains("WebIdentity"), "{error}");
}

#[tokio::test]
async fn roles_are_kept_apart_by_region_and_dropped_with_their_last_scaler() {
    let service = Service::start(one_message).await;
    let identities = Identities::new(service.session().await, None, Clock::real());
    let role = Identity::Role(ROLE.into());
    let (one, two) = (identities.caller(&role, "eu-west-1"), identities.caller(&role, "eu-west-1"));
    let other = identities.caller(&role, "us-east-1");
    assert_eq!(identities.roles().len(), 2);
    let (Caller::Role(one), Caller::Role(two)) = (one, two) else { panic!("not a role") };
    assert!(Arc::ptr_eq(&one, &two));
    drop((one, two, other));
    let _new = identities.caller(&role, "eu-north-1");
    assert_eq!(identities.roles().len(), 1);
}
