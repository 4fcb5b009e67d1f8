//! The identity modes against a scripted STS.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use keda::api::{AuthPodIdentity, ScaleTriggers};

use super::*;
use crate::context::Workload;
use crate::metadata::Metadata;
use crate::scaler::Scaler;
use crate::scripted::{self, Cluster, Seen, Service, map};

const ROLE: &str = "arn:aws:iam::111122223333:role/scaler";

fn trigger(pairs: &[(&str, &str)]) -> ScaleTriggers {
    let mut metadata = map(&[("queueURL", "orders"), ("awsRegion", "eu-west-1"), ("scaleOnInFlight", "false")]);
    metadata.extend(map(pairs));
    ScaleTriggers { type_: "aws-sqs-queue".into(), metadata, ..Default::default() }
}

async fn context(service: &Service, token_file: Option<PathBuf>) -> Context {
    context_by(service, token_file, Clock::real()).await
}

async fn context_by(service: &Service, token_file: Option<PathBuf>, clock: Clock) -> Context {
    let identities = Identities::new(service.session().await, token_file, clock.clone());
    Context {
        environment: map(&[("ID", "AKIAENV"), ("SECRET", "hush")]),
        workload: Workload { service_account: "shop/orders".into(), role_arn: None },
        ..scripted::context_of(identities, Cluster::new(Ok(vec![])), clock)
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

fn role() -> AuthPodIdentity {
    AuthPodIdentity { role_arn: Some(ROLE.into()), ..provider(PodIdentityProvider::Aws) }
}

async fn read_as_role(context: &mut Context) -> crate::Result<keda::decision::Sample> {
    context.pod_identity = Some(role());
    read(&*crate::build(&trigger(&[]), 0, context)?).await
}

async fn read(scaler: &dyn Scaler) -> crate::Result<keda::decision::Sample> {
    scaler.read(Duration::ZERO).await?.by_metric.remove(0).1
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
    context.pod_identity = Some(role());
    let first = crate::build(&trigger(&[]), 0, &context).unwrap();
    let second = crate::build(&trigger(&[]), 1, &context).unwrap();
    read(&*first).await.unwrap();
    read(&*second).await.unwrap();
    assert_eq!(
        service.operations(),
        ["AssumeRoleWithWebIdentity", "AssumeRole", "GetCallerIdentity", "GetQueueAttributes", "GetQueueAttributes"]
    );
    let seen = service.seen();
    assert_eq!((seen[1].key.as_str(), seen[4].key.as_str()), ("AKIAOPERATOR", "ASIAASSUMED"));
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
async fn callers_are_kept_apart_by_identity_and_region_and_dropped_with_their_last_scaler() {
    let service = Service::start(one_message).await;
    let identities = Identities::new(service.session().await, None, Clock::real());
    let static_ = |secret: &str| Identity::Static { id: "AKIA".into(), secret: secret.into(), token: None };
    let role = Identity::Role(ROLE.into());
    let (one, two) = (identities.caller(&role, "eu-west-1"), identities.caller(&role, "eu-west-1"));
    assert!(Arc::ptr_eq(&one, &two));
    let others = [
        identities.caller(&role, "us-east-1"),
        identities.caller(&Identity::AssumedRole(ROLE.into()), "eu-west-1"),
        identities.caller(&static_("a"), "eu-west-1"),
        identities.caller(&static_("b"), "eu-west-1"),
        identities.caller(&Identity::Operator, "eu-west-1"),
    ];
    let numbers: std::collections::BTreeSet<_> = others.iter().chain([&one]).map(|caller| caller.number).collect();
    assert_eq!(numbers.len(), 6);
    let before = one.number;
    drop((one, two));
    assert!(identities.caller(&role, "eu-west-1").number > before);
}

/// STS refuses one role and is slow about it; the rest is as it should be.
fn one_is_refused(seen: &Seen) -> (u16, String) {
    let is_refused = seen.operation.starts_with("AssumeRole") && seen.body.contains("revoked");
    if is_refused { scripted::sts_denied() } else { one_message(seen) }
}

/// Scalers in the role that is refused.
fn revoked(context: &Context, count: usize) -> Vec<Box<dyn Scaler>> {
    let identity = AuthPodIdentity { role_arn: Some("arn:aws:iam::1:role/revoked".into()), ..role() };
    let context = Context { pod_identity: Some(identity), ..context.clone() };
    let queue = |number: usize| trigger(&[("queueURL", &format!("queue-{number}"))]);
    (0..count).map(|number| crate::build(&queue(number), number, &context).unwrap()).collect()
}

fn attempts(service: &Service) -> usize {
    service.operations().iter().filter(|operation| *operation == "AssumeRole").count()
}

#[tokio::test]
async fn a_refused_role_costs_one_attempt_for_all_its_triggers_and_the_next_after_a_pause_that_grows() {
    let service = Service::start(one_is_refused).await;
    let (clock, hands) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let (_kept, file) = token_file();
    let context = context_by(&service, file, clock).await;
    let scalers = revoked(&context, 50);
    for (pause, attempts_so_far) in [(0, 1), (1, 1), (1, 2), (3, 2), (1, 3), (7, 3), (1, 4)] {
        hands.advance(Duration::from_secs(pause));
        let reads = futures::future::join_all(scalers.iter().map(|scaler| read(&**scaler))).await;
        for (number, error) in reads.into_iter().map(Result::unwrap_err).enumerate() {
            let error = error.to_string();
            assert!(error.contains(&format!("queue-{number}:")) && error.contains("sts:AssumeRole failed"), "{error}");
        }
        assert_eq!(attempts(&service), attempts_so_far, "after {pause} s more");
    }
    assert!(!service.operations().contains(&"GetQueueAttributes".to_owned()));
}

#[tokio::test]
async fn while_a_refused_role_is_tried_again_nobody_else_waits_and_no_other_role_does() {
    let service = Service::start(one_is_refused).await;
    let (clock, hands) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let context = context_by(&service, None, clock).await;
    let scalers = revoked(&context, 2);
    read(&*scalers[0]).await.unwrap_err();
    hands.advance(Duration::from_secs(2));
    service.hold(Some("revoked"));
    let scenario = async {
        let mut again = Box::pin(read(&*scalers[0]));
        // The first is on its way to STS, which does not answer.
        while attempts(&service) < 2 {
            assert!(futures::poll!(&mut again).is_pending());
            tokio::task::yield_now().await;
        }
        read(&*scalers[1]).await.unwrap_err();
        read_as_role(&mut context.clone()).await.unwrap();
        assert!(futures::poll!(&mut again).is_pending());
        service.hold(None);
        again.await.unwrap_err();
    };
    Clock::real().timeout(Duration::from_mins(1), scenario).await.unwrap();
}

#[tokio::test]
async fn a_session_that_the_source_refuses_is_renewed_but_not_all_the_time() {
    // The sessions of a role that was deleted are of no use; those of its successor are.
    let script = |seen: &Seen| match seen.operation.as_str() {
        "GetQueueAttributes" => scripted::sqs_denied(),
        _ => one_message(seen),
    };
    let service = Service::start(script).await;
    let (clock, hands) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let mut context = context_by(&service, None, clock).await;
    context.pod_identity = Some(role());
    let scaler = crate::build(&trigger(&[]), 0, &context).unwrap();
    for (pause, attempts_so_far) in [(0, 1), (29, 1), (1, 1), (0, 2), (29, 2), (1, 2), (0, 3)] {
        hands.advance(Duration::from_secs(pause));
        let error = read(&*scaler).await.unwrap_err().to_string();
        assert!(error.contains("sqs:GetQueueAttributes"), "{error}");
        assert_eq!(attempts(&service), attempts_so_far, "after {pause} s more");
    }
}
