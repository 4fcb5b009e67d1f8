//! Whether the caller may do all that the work takes, asked of IAM's own simulator.
//!
//! The simulator asks for the identity that policies are attached to, and a session names only its role: IAM says where the role is.
//! It knows identity policies, the permissions boundary and service control policies; policies of the session itself it does not
//! know (IAM User Guide, "IAM policy testing with the IAM policy simulator").

mod simulation;

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Check, Finding};
use super::wanted::Wanted;
use crate::cloud::Cloud;
use crate::error::{Error, Result};
use crate::permissions::{self, Need, Part, Scope};
use simulation::{Decision, Question, Verdict};

/// Whose policies are asked.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    /// A user or a role.
    Arn(String),
    /// A session of a role: the role's name.
    Role(String),
    /// The account's root user, who may do everything.
    Root,
    /// Somebody whom the simulator does not take.
    Other,
}

pub(super) async fn look(cloud: &Cloud, wanted: &Wanted) -> Vec<Finding> {
    let caller = &wanted.caller_arn;
    let source = match source_of(caller) {
        Source::Root => {
            return vec![Finding::fine(Check::Rights, format!("{caller} is the root user and may do everything"))];
        }
        Source::Other => {
            let why = "IAM simulates users and roles only; `sluice policy` prints what is needed";
            return vec![Finding::unchecked(Check::Rights, &what(caller), why)];
        }
        Source::Arn(arn) => arn,
        Source::Role(name) => role_arn(cloud, wanted, &name).await,
    };
    let mut verdicts = Vec::new();
    for question in questions(wanted) {
        match simulation::ask(cloud, &source, &question).await {
            Ok(found) => verdicts.extend(found),
            Err(error) => {
                let why = format!("{error}; `sluice policy` prints what is needed");
                return vec![Finding::unchecked(Check::Rights, &what(&source), why)];
            }
        }
    }
    let mut existing = BTreeMap::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.scope == Scope::ServiceLinkedRoles && !verdict.is_allowed())
    {
        let name = verdict.resource.rsplit('/').next().unwrap_or_default();
        existing.insert(verdict.resource.clone(), exists(cloud, name).await);
    }
    evaluate(&source, &verdicts, &existing)
}

fn what(caller: &str) -> String {
    format!("what {caller} may do")
}

fn source_of(caller: &str) -> Source {
    let parts: Vec<&str> = caller.splitn(6, ':').collect();
    let [_, _, service, _, _, name] = parts.as_slice() else { return Source::Other };
    match (*service, name.split('/').collect::<Vec<_>>().as_slice()) {
        ("iam", ["root"]) => Source::Root,
        ("iam", ["user" | "role", ..]) => Source::Arn(caller.to_owned()),
        ("sts", ["assumed-role", role, _]) => Source::Role((*role).to_owned()),
        _ => Source::Other,
    }
}

/// The ARN of a session's role. A role that may not be read is taken to have no path; if it has one, IAM says that there is none.
async fn role_arn(cloud: &Cloud, wanted: &Wanted, name: &str) -> String {
    let read = cloud.iam.get_role().role_name(name).send().await;
    let read = read.ok().and_then(|answer| Some(answer.role?.arn));
    let site = &wanted.site;
    read.unwrap_or_else(|| format!("arn:{}:iam::{}:role/{name}", site.partition, site.account_id))
}

/// Whether a role of AWS's own exists already.
async fn exists(cloud: &Cloud, name: &str) -> Result<bool> {
    match cloud.iam.get_role().role_name(name).send().await {
        Ok(_) => Ok(true),
        Err(error) => match Error::from_sdk("iam:GetRole", &error) {
            error if error.is_not_found() => Ok(false),
            error => Err(error),
        },
    }
}

/// All that is asked: the needs of one scope and service together, since they have their context in common.
fn questions(wanted: &Wanted) -> Vec<Question> {
    let parts = [Part::Look, Part::Make, Part::Remove, Part::Messages];
    let mut found: BTreeMap<(Scope, &str), BTreeSet<&'static str>> = BTreeMap::new();
    for Need { action, scope, .. } in permissions::needs(&wanted.site, &parts) {
        let service = action.split(':').next().unwrap_or_default();
        found.entry((scope, service)).or_default().insert(action);
    }
    let question = |((scope, service), actions): ((Scope, &str), BTreeSet<&'static str>)| {
        let site = &wanted.site;
        // IAM is one for all regions, and its calls count as made there.
        let region = if service == "iam" { "us-east-1" } else { site.region.as_str() };
        things(wanted, scope).into_iter().map(move |resources| Question {
            scope,
            actions: actions.iter().copied().collect(),
            context: context(scope, &resources, region, &wanted.stack),
            resources,
        })
    };
    found.into_iter().flat_map(question).filter(|question| !question.resources.is_empty()).collect()
}

/// The things of a scope, as ARNs without wildcards as far as names are known before; those that go by one context together.
/// A policy that allows just these must not fail for a pattern that is wider.
fn things(wanted: &Wanted, scope: Scope) -> Vec<Vec<String>> {
    let Wanted { site, roles, fargate_profile, has_admins, cluster, .. } = wanted;
    let patterns = site.resources(scope);
    let of_cluster = !matches!(
        scope,
        Scope::Account | Scope::Roles | Scope::Policies | Scope::OidcProviders | Scope::Queues | Scope::Repository
    );
    if of_cluster && cluster.is_none() || scope == Scope::AccessEntries && !has_admins {
        return Vec::new();
    }
    let named = |pattern: &String| match scope {
        _ if pattern.contains(":access-entry/") && !has_admins => None,
        _ if pattern.contains(":fargateprofile/") => {
            Some(pattern.replace('*', &format!("{fargate_profile}/00000000-0000-0000-0000-000000000000")))
        }
        _ if pattern.contains(":addon/") => Some(pattern.replace('*', "coredns/00000000-0000-0000-0000-000000000000")),
        Scope::OidcProviders => Some(pattern.replace("/*", "/0123456789ABCDEF0123456789ABCDEF")),
        _ => Some(pattern.clone()),
    };
    match scope {
        Scope::Roles => {
            let iam =
                |name: &String| format!("arn:{}:iam::{}:role{}{name}", site.partition, site.account_id, site.path);
            vec![roles.iter().map(iam).collect()]
        }
        Scope::Queues => {
            let sqs = |name: &String| format!("arn:{}:sqs:{}:{}:{name}", site.partition, site.region, site.account_id);
            vec![site.queues.iter().map(sqs).collect()]
        }
        // Each is for a service of its own.
        Scope::PassedRoles | Scope::ServiceLinkedRoles => patterns.into_iter().map(|one| vec![one]).collect(),
        _ => vec![patterns.iter().filter_map(named).collect()],
    }
}

/// What conditions may ask, as far as it is known before the call.
fn context(scope: Scope, resources: &[String], region: &str, stack: &str) -> Vec<(String, String)> {
    let is_of_fargate = resources.iter().any(|resource| resource.contains("fargate"));
    let own = match (scope, is_of_fargate) {
        (Scope::PassedRoles, false) => Some(("iam:PassedToService", "eks.amazonaws.com")),
        (Scope::PassedRoles, true) => Some(("iam:PassedToService", "eks-fargate-pods.amazonaws.com")),
        (Scope::ServiceLinkedRoles, false) => Some(("iam:AWSServiceName", "eks.amazonaws.com")),
        (Scope::ServiceLinkedRoles, true) => Some(("iam:AWSServiceName", "eks-fargate.amazonaws.com")),
        _ => None,
    };
    let tags = ["aws:RequestTag", "aws:ResourceTag"]
        .map(|key| (format!("{key}/{}", crate::cloud::TAG_STACK), stack.to_owned()));
    let all = std::iter::once(("aws:RequestedRegion".to_owned(), region.to_owned())).chain(tags);
    all.chain(own.map(|(key, value)| (key.to_owned(), value.to_owned()))).collect()
}

/// What follows from IAM's answers. `existing` says of each role of AWS's own whether it is there, so that nobody has to make it.
fn evaluate(source: &str, verdicts: &[Verdict], existing: &BTreeMap<String, Result<bool>>) -> Vec<Finding> {
    let mut denied: BTreeMap<(Decision, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut found = Vec::new();
    for verdict in verdicts.iter().filter(|verdict| !verdict.is_allowed()) {
        let Verdict { action, resource, decision, missing, .. } = verdict;
        match existing.get(resource) {
            Some(Ok(true)) => continue,
            Some(Err(error)) => {
                let what = format!("whether {resource} is there, which {source} may not make");
                found.push(Finding::unchecked(Check::Rights, &what, error));
                continue;
            }
            Some(Ok(false)) | None => {}
        }
        if *decision == Decision::NotAllowed && !missing.is_empty() {
            let what = format!("whether {source} may {action} on {resource}");
            let why = format!("a policy asks for {}, which only the call itself has", missing.join(", "));
            found.push(Finding::unchecked(Check::Rights, &what, why));
            continue;
        }
        denied.entry((*decision, resource)).or_default().insert(action);
    }
    for ((decision, resource), actions) in denied {
        let actions: Vec<_> = actions.into_iter().collect();
        let (why, repair) = match decision {
            Decision::Denied => ("a policy denies it", "take that statement away, or call as somebody else"),
            Decision::DeniedByOrganization => (
                "a service control policy of the organization does not allow it",
                "ask whoever runs the organization, or use another account",
            ),
            Decision::NotAllowedByBoundary => {
                ("the permissions boundary does not allow it", "widen the boundary, or call as somebody else")
            }
            Decision::NotAllowed | Decision::Allowed => {
                ("no policy allows it", "allow it; `sluice policy` prints all that is needed")
            }
        };
        found.push(Finding::problem(
            Check::Rights,
            format!("{source} may not {} on {resource}: {why}", actions.join(", ")),
            repair,
        ));
    }
    if found.is_empty() {
        found.push(Finding::fine(Check::Rights, format!("{source} may do all that up, verify and down need")));
    }
    found
}

#[cfg(test)]
mod tests;
