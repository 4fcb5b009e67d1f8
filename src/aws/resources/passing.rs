//! Answers of AWS that pass by themselves, as data: which operation gives them, how they are recognised, for how long they
//! may come, and where that is known from.
//!
//! A call that changes something goes through [`call`]. Whoever finds one more of these answers adds a row; there is no
//! other place that decides whether to wait. `docs/aws.md` shows the table, and a test compares the two.

use std::time::Duration;

use provision::{Context, Failure, Object};

use super::wait::{IAM_PROPAGATION, Look, pause, until};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

const MINUTES_3: Duration = Duration::from_mins(3);
const MINUTES_10: Duration = Duration::from_mins(10);
const MINUTES_30: Duration = Duration::from_mins(30);
const HOUR: Duration = Duration::from_hours(1);

/// One kind of answer.
struct Answer {
    /// `service:Operation`; `service:*` is every operation of the service.
    operations: &'static [&'static str],
    /// The error's codes, with and without the suffix `Exception` or a prefix, as the protocols spell them.
    codes: &'static [&'static str],
    /// What the message contains, all of it, in small or capital letters. A message of something that exists already never
    /// passes.
    texts: &'static [&'static str],
    /// For how long after the first such answer the call is repeated.
    within: Duration,
    /// What has to happen meanwhile, for people.
    reason: &'static str,
    /// Where this is known from.
    #[cfg_attr(not(test), expect(dead_code, reason = "the test that compares docs/aws.md reads it"))]
    source: &'static str,
}

const INVALID_PARAMETER: &[&str] = &["InvalidParameterException", "ClientException"];
const MALFORMED: &[&str] = &["MalformedPolicyDocument", "MalformedPolicyDocumentException"];
const BUSY: &[&str] = &["ResourceInUseException"];
const REFUSED_FOR_NOW: &[&str] = &["InvalidRequestException"];
const NOT_FOUND: &[&str] = &["NoSuchEntity", "NoSuchEntityException", "ResourceNotFoundException"];

const CHANGES_OF_A_CLUSTER: &[&str] =
    &["eks:CreateFargateProfile", "eks:DeleteFargateProfile", "eks:CreateAddon", "eks:UpdateAddon", "eks:DeleteAddon"];
const UPDATES_OF_A_CLUSTER: &[&str] =
    &["eks:UpdateClusterVersion", "eks:UpdateClusterConfig", "eks:AssociateEncryptionConfig"];

/// TF is hashicorp/terraform-provider-aws, `internal/service`.
const ANSWERS: &[Answer] = &[
    Answer {
        operations: &["iam:CreateRole", "iam:UpdateAssumeRolePolicy"],
        codes: MALFORMED,
        texts: &["Invalid principal in policy"],
        within: IAM_PROPAGATION,
        reason: "a principal of the trust policy is new",
        source: "TF iam/role.go",
    },
    Answer {
        operations: &["iam:*"],
        codes: &["ConcurrentModification", "ConcurrentModificationException"],
        texts: &[],
        within: IAM_PROPAGATION,
        reason: "another change of the same thing ends first",
        source: "IAM API Reference, CreateRole; TF issues 34378, 39421",
    },
    Answer {
        operations: &["iam:DeleteRole", "iam:DeletePolicy"],
        codes: &["DeleteConflict", "DeleteConflictException"],
        texts: &[],
        within: IAM_PROPAGATION,
        reason: "what was taken off it still shows",
        source: "TF iam/role.go",
    },
    Answer {
        operations: &["iam:PutRolePolicy", "iam:AttachRolePolicy", "eks:AssociateAccessPolicy"],
        codes: NOT_FOUND,
        texts: &[],
        within: IAM_PROPAGATION,
        reason: "what was just made is not visible everywhere yet",
        source: "IAM User Guide, \"Changes that I make are not always immediately visible\"",
    },
    Answer {
        operations: &["iam:CreateOpenIDConnectProvider"],
        codes: &["OpenIdIdpCommunicationError", "OpenIdIdpCommunicationErrorException"],
        texts: &[],
        within: MINUTES_3,
        reason: "IAM cannot reach the new cluster's issuer yet",
        source: "IAM API Reference, CreateOpenIDConnectProvider; awslabs/eks-perf-tests 599",
    },
    Answer {
        operations: &["eks:CreateCluster", "eks:CreateFargateProfile", "eks:CreateAddon"],
        codes: INVALID_PARAMETER,
        texts: &["role", "does not exist"],
        within: IAM_PROPAGATION,
        reason: "the role has not reached EKS yet",
        source: "TF eks/cluster.go, eks/addon.go",
    },
    Answer {
        operations: &["eks:CreateCluster"],
        codes: INVALID_PARAMETER,
        texts: &["Error in role params"],
        within: IAM_PROPAGATION,
        reason: "the role has not reached EKS yet",
        source: "TF eks/cluster.go",
    },
    Answer {
        operations: &["eks:CreateCluster"],
        codes: INVALID_PARAMETER,
        texts: &["could not be assumed because the trusted entity is not correct"],
        within: IAM_PROPAGATION,
        reason: "the role's trust policy has not reached EKS yet",
        source: "TF eks/cluster.go",
    },
    Answer {
        operations: &["eks:CreateCluster"],
        codes: INVALID_PARAMETER,
        texts: &["doesn't have the Amazon EKS Managed Policies associated with it"],
        within: IAM_PROPAGATION,
        reason: "the role's policies have not reached EKS yet",
        source: "TF eks/cluster.go; aws-controllers-k8s/eks-controller",
    },
    Answer {
        operations: &["eks:CreateCluster"],
        codes: INVALID_PARAMETER,
        texts: &["IAM role's policy must include"],
        within: IAM_PROPAGATION,
        reason: "the role's policies have not reached EKS yet",
        source: "TF eks/cluster.go",
    },
    Answer {
        operations: &["eks:CreateFargateProfile"],
        codes: &["InvalidParameterException", "InvalidRequestException"],
        texts: &["Misconfigured PodExecutionRole Trust Policy"],
        within: IAM_PROPAGATION,
        reason: "the pod execution role's trust policy has not reached EKS yet",
        source: "TF eks/fargate_profile.go",
    },
    Answer {
        operations: &["eks:CreateAddon"],
        codes: &["InvalidParameterException"],
        texts: &["CREATE_FAILED"],
        within: IAM_PROPAGATION,
        reason: "what failed before is being cleared away",
        source: "TF eks/addon.go",
    },
    Answer {
        operations: &["eks:CreateAccessEntry"],
        codes: INVALID_PARAMETER,
        texts: &["invalid principal"],
        within: IAM_PROPAGATION,
        reason: "the principal has not reached EKS yet",
        source: "TF eks/access_entry.go",
    },
    Answer {
        operations: CHANGES_OF_A_CLUSTER,
        codes: BUSY,
        texts: &[],
        within: MINUTES_10,
        reason: "another change of the cluster ends first",
        source: "EKS User Guide, \"Define which Pods use AWS Fargate\"; eksctl-io/eksctl 8514",
    },
    Answer {
        operations: UPDATES_OF_A_CLUSTER,
        codes: BUSY,
        texts: &[],
        within: MINUTES_30,
        reason: "another change of the cluster ends first",
        source: "EKS API Reference, UpdateClusterConfig",
    },
    Answer {
        operations: &["eks:DeleteCluster"],
        codes: BUSY,
        texts: &[],
        within: HOUR,
        reason: "a change of the cluster, or what it contains, ends first",
        source: "TF eks/cluster.go",
    },
    Answer {
        operations: &["eks:DeleteCluster", "eks:DeleteFargateProfile", "eks:DeleteAddon"],
        codes: REFUSED_FOR_NOW,
        texts: &["in progress"],
        within: MINUTES_30,
        reason: "a change of the cluster ends first",
        source: "EKS API Reference, DeleteCluster",
    },
    Answer {
        operations: &["eks:DeleteCluster", "eks:DeleteFargateProfile", "eks:DeleteAddon"],
        codes: REFUSED_FOR_NOW,
        texts: &["currently"],
        within: MINUTES_30,
        reason: "a change of the cluster ends first",
        source: "EKS API Reference, DeleteFargateProfile",
    },
    Answer {
        operations: &[
            "ec2:CreateSubnet",
            "ec2:CreateRouteTable",
            "ec2:CreateRoute",
            "ec2:ReplaceRoute",
            "ec2:CreateNatGateway",
            "ec2:AssociateRouteTable",
            "ec2:AttachInternetGateway",
            "ec2:ModifyVpcAttribute",
            "ec2:CreateTags",
        ],
        codes: &[
            "InvalidVpcID.NotFound",
            "InvalidSubnetID.NotFound",
            "InvalidRouteTableID.NotFound",
            "InvalidInternetGatewayID.NotFound",
            "InvalidGatewayID.NotFound",
            "InvalidAllocationID.NotFound",
            "InvalidNatGatewayID.NotFound",
            "NatGatewayNotFound",
        ],
        texts: &[],
        within: MINUTES_3,
        reason: "what was just made is not visible everywhere yet",
        source: "EC2 API Reference, \"Eventual consistency\"; TF ec2/vpc_route_table.go",
    },
    Answer {
        operations: &[
            "ec2:DeleteVpc",
            "ec2:DeleteSubnet",
            "ec2:DeleteRouteTable",
            "ec2:DetachInternetGateway",
            "ec2:DeleteInternetGateway",
            "ec2:ReleaseAddress",
        ],
        codes: &["DependencyViolation", "InvalidIPAddress.InUse"],
        texts: &[],
        within: MINUTES_30,
        reason: "network interfaces and addresses go some minutes after what they were made for",
        source: "EC2 API Reference, \"Error codes\"; TF ec2/vpc_subnet.go, ec2/vpc_internet_gateway.go",
    },
    Answer {
        operations: &["sqs:CreateQueue"],
        codes: &["AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently"],
        texts: &[],
        // A minute, and a little more for the lag (`docs/rules.md#sqs-deleted-names`).
        within: Duration::from_secs(90),
        reason: "the name is blocked for a minute after a queue's deletion",
        source: "SQS API Reference, CreateQueue",
    },
];

/// How long a service may be throttling, failing or out of reach before the call gives up. The SDK's own three attempts
/// cover about a second.
const UNAVAILABLE: Duration = Duration::from_mins(2);

/// Tries before a call gives up, however long they took: the SDK's own pauses while it is throttled may use up the whole time.
const TRIES: u32 = 5;

/// For how long an answer may come, and what is waited for meanwhile; `None` if it does not pass.
fn passes(error: &Error) -> Option<(Duration, &'static str)> {
    if let Error::Service { operation, code, message, .. } = error {
        let message = message.to_lowercase();
        let fits = |answer: &&Answer| {
            let is_of =
                |one: &&str| *one == *operation || one.strip_suffix('*').is_some_and(|all| operation.starts_with(all));
            answer.operations.iter().any(is_of)
                && answer.codes.contains(&code.as_str())
                && answer.texts.iter().all(|text| message.contains(&text.to_lowercase()))
                && !message.contains("already exists")
        };
        if let Some(answer) = ANSWERS.iter().find(fits) {
            return Some((answer.within, answer.reason));
        }
    }
    error.is_retryable().then_some((UNAVAILABLE, "the service is throttling or out of reach"))
}

/// Calls until it succeeds, repeating what passes by itself for as long as that may take.
///
/// The call must be safe to repeat when its answer was lost: by a token of the request, by being idempotent, or by taking
/// [`Error::is_already_there`] for what it may have [made before](made_before).
pub(super) async fn call<T, F: Future<Output = Result<T>>>(
    context: &Context,
    mut call: impl FnMut() -> F,
) -> Result<T, Failure> {
    let start = context.clock.moment();
    let mut delay = Duration::from_secs(1);
    let mut tries = 0_u32;
    loop {
        tries += 1;
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Some((within, reason)) = passes(&error) else { return Err(error.into()) };
        if context.stop.is_cancelled() {
            return Err(error.into());
        }
        let elapsed = context.clock.elapsed(start);
        if elapsed >= within && tries >= TRIES {
            let text = format!("{error}; this has not passed within {} s, although often {reason}", elapsed.as_secs());
            return Err(Failure::new(text));
        }
        context.progress.report(format!("{reason}; trying again: {error}"));
        // A signal ends the pause; the refusal of one more try is the answer then.
        pause(context, delay).await;
        delay = (delay * 3 / 2).min(Duration::from_secs(5));
    }
}

/// What was to be made and exists already: an earlier try made it, whose answer was lost, if it has our tag; else the answer
/// `taken` stands. Of a service's servers one may know that it exists before another one shows it.
pub(super) async fn made_before<F: Future<Output = Result<Option<Object>>>>(
    cloud: &Cloud,
    what: &str,
    taken: Error,
    context: &Context,
    mut look: impl FnMut() -> F,
) -> Result<Object, Failure> {
    let found = until(context, what, IAM_PROPAGATION, || {
        let look = look();
        async {
            let found = match look.await {
                Err(error) if error.is_not_found() => None,
                found => found?,
            };
            let waiting = || Look::Waiting("it exists already, and is not visible everywhere yet".to_owned());
            Ok(found.map_or_else(waiting, Look::Done))
        }
    })
    .await?;
    if cloud.owns(&found) { Ok(found) } else { Err(taken.into()) }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use provision::Progress;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn refusal(operation: &'static str, code: &str, message: &str) -> Error {
        Error::Service { operation, code: code.to_owned(), message: message.to_owned(), status: 400 }
    }

    fn context(clock: clock::Clock) -> (Context, CancellationToken) {
        let stop = CancellationToken::new();
        (Context { clock, progress: Progress::silent(), stop: stop.clone() }, stop)
    }

    /// Whole answers as AWS gives them: operation, code, message, whether it passes.
    const SEEN: &[(&str, &str, &str, bool)] = &[
        ("eks:CreateCluster", "InvalidParameterException", "The roleArn, arn:aws:iam::1:role/x, does not exist", true),
        ("eks:CreateCluster", "ClientException", "Role with arn: arn:aws:iam::1:role/x, does not exist", true),
        ("eks:CreateCluster", "InvalidParameterException", "Error in role params", true),
        (
            "eks:CreateCluster",
            "InvalidParameterException",
            "Role could not be assumed because the trusted entity is not correct",
            true,
        ),
        (
            "eks:CreateCluster",
            "ClientException",
            "The provided role doesn't have the Amazon EKS Managed Policies associated with it. Please ensure the following policy is attached: arn:aws:iam::aws:policy/AmazonEKSClusterPolicy",
            true,
        ),
        (
            "eks:CreateCluster",
            "InvalidParameterException",
            "IAM role's policy must include the `ec2:DescribeSubnets` action",
            true,
        ),
        ("eks:CreateCluster", "InvalidParameterException", "The subnet ID 'subnet-1' does not exist", false),
        ("eks:CreateCluster", "InvalidParameterException", "The security group 'sg-1' does not exist", false),
        ("eks:CreateCluster", "ResourceInUseException", "Cluster already exists with name: x", false),
        (
            "eks:CreateFargateProfile",
            "InvalidParameterException",
            "Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal",
            true,
        ),
        (
            "eks:CreateFargateProfile",
            "ResourceInUseException",
            "Cannot create Fargate Profile a because cluster x currently has Fargate profile b in status CREATING",
            true,
        ),
        ("eks:CreateFargateProfile", "ResourceInUseException", "Fargate Profile already exists with this name", false),
        (
            "eks:CreateFargateProfile",
            "InvalidParameterException",
            "Subnet subnet-1 provided in Fargate Profile is not a private subnet",
            false,
        ),
        (
            "eks:DeleteCluster",
            "ResourceInUseException",
            "Cannot delete because cluster has an update in progress",
            true,
        ),
        ("eks:DeleteCluster", "InvalidRequestException", "Cluster has deletion protection enabled", false),
        ("eks:DeleteCluster", "AccessDeniedException", "explicit deny in a service control policy", false),
        (
            "iam:CreateRole",
            "MalformedPolicyDocument",
            "Invalid principal in policy: \"AWS\":\"arn:aws:iam::1:role/x\"",
            true,
        ),
        ("iam:CreateRole", "MalformedPolicyDocument", "Syntax errors in policy.", false),
        ("iam:CreateRole", "ConcurrentModification", "The request was rejected because of multiple requests", true),
        ("iam:PutRolePolicy", "NoSuchEntity", "The role with name x cannot be found.", true),
        ("iam:DeleteRole", "DeleteConflict", "Cannot delete entity, must detach all policies first.", true),
        ("iam:TagRole", "NoSuchEntity", "The role with name x cannot be found.", false),
        (
            "iam:CreateOpenIDConnectProvider",
            "OpenIdIdpCommunicationError",
            "IAM cannot connect to the OpenID Connect identity provider",
            true,
        ),
        ("sqs:CreateQueue", "AWS.SimpleQueueService.QueueDeletedRecently", "You must wait 60 seconds", true),
        ("sqs:CreateQueue", "QueueDeletedRecently", "You must wait 60 seconds", true),
        ("sqs:CreateQueue", "QueueAlreadyExists", "A queue already exists with the same name", false),
        ("eks:CreateCluster", "ThrottlingException", "Rate exceeded", true),
    ];

    #[test]
    fn each_known_answer_is_recognised_by_its_operation_code_and_text() {
        for (operation, code, message, expected) in SEEN {
            let error = refusal(operation, code, message);
            assert_eq!(passes(&error).is_some(), *expected, "{error}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_passes_is_repeated_until_it_has_passed() {
        let (context, _stop) = context(clock::Clock::scaled(20.0));
        let mut calls = 0;
        let outcome = call(&context, || {
            calls += 1;
            let answer =
                if calls < 4 { Err(refusal("iam:CreateRole", "ConcurrentModification", "busy")) } else { Ok(7) };
            std::future::ready(answer)
        });
        assert_eq!(outcome.await.unwrap(), 7);
        assert_eq!(calls, 4);
    }

    #[tokio::test]
    async fn an_answer_that_stays_is_given_up_in_the_time_of_its_row() {
        let (context, _stop) = context(clock::Clock::scaled(100_000.0));
        let start = context.clock.moment();
        let never = || std::future::ready(Err::<(), _>(refusal("sqs:CreateQueue", "QueueDeletedRecently", "wait")));
        let failure = call(&context, never).await.unwrap_err().to_string();
        assert!(context.clock.elapsed(start) >= Duration::from_secs(90));
        assert!(failure.contains("QueueDeletedRecently") && failure.contains("has not passed within"), "{failure}");
    }

    #[tokio::test]
    async fn what_does_not_pass_is_said_at_once() {
        let (context, _stop) = context(clock::Clock::manual(jiff::Timestamp::UNIX_EPOCH).0);
        let denied = || std::future::ready(Err::<(), _>(refusal("iam:CreateRole", "AccessDenied", "not you")));
        assert!(call(&context, denied).await.unwrap_err().to_string().contains("AccessDenied"));
    }

    #[tokio::test]
    async fn a_signal_ends_the_pause_between_two_tries() {
        let (context, stop) = context(clock::Clock::manual(jiff::Timestamp::UNIX_EPOCH).0);
        let busy = || std::future::ready(Err::<(), _>(refusal("eks:DeleteCluster", "ResourceInUseException", "busy")));
        let (failure, ()) = tokio::join!(call(&context, busy), async { stop.cancel() });
        assert!(failure.unwrap_err().to_string().contains("busy"));
    }

    /// The table as `docs/aws.md` shows it.
    fn table() -> String {
        let mut text =
            String::from("| Operations | Code | Message contains | At most | Source |\n|---|---|---|---|---|\n");
        for answer in ANSWERS {
            let list = |items: &[&str]| items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ");
            let (operations, codes) = (list(answer.operations), list(answer.codes));
            let (texts, seconds) = (list(answer.texts), answer.within.as_secs());
            writeln!(text, "| {operations} | {codes} | {texts} | {seconds} s | {} |", answer.source).unwrap();
        }
        text
    }

    #[test]
    fn the_documents_show_the_table() {
        let document = include_str!("../../../docs/aws.md");
        let expected = table();
        assert!(document.contains(&expected), "docs/aws.md must hold:\n{expected}");
    }

    /// A thing with these tags.
    fn tagged(tags: serde_json::Value) -> Object {
        Object::new("thing", provision::Attributes::from([("tags".to_owned(), tags)]))
    }

    #[tokio::test]
    async fn what_exists_already_is_looked_for_until_it_is_seen_and_is_ours_by_its_tag() {
        let settings = crate::session::Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://127.0.0.1:9".into()),
            ..crate::session::Settings::new("test")
        };
        let session = crate::session::Session::load(settings).await.unwrap();
        let cloud = Cloud::new(&session, "demo", "run", "", &std::collections::BTreeMap::new());
        let (context, _stop) = context(clock::Clock::scaled(20.0));
        let taken = || refusal("iam:CreateRole", "EntityAlreadyExists", "Role with name x already exists.");
        for (tags, is_ours) in
            [(serde_json::json!({ "sluice:stack": "demo" }), true), (serde_json::json!({ "team": "other" }), false)]
        {
            let mut looks = 0;
            let found = made_before(&cloud, "role x", taken(), &context, || {
                looks += 1;
                std::future::ready(match looks {
                    1 => Err(refusal("iam:ListRolePolicies", "NoSuchEntity", "The role with name x cannot be found.")),
                    2 => Ok(None),
                    _ => Ok(Some(tagged(tags.clone()))),
                })
            })
            .await;
            assert_eq!(found.is_ok(), is_ours, "{found:?}");
            assert!(is_ours || found.unwrap_err().to_string().contains("EntityAlreadyExists"));
            assert_eq!(looks, 3);
        }
    }
}
