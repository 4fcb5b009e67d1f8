//! Whether EKS makes clusters of a version of Kubernetes, asked of EKS itself.

use super::finding::{Check, Finding};
use crate::error::{Error, Result};
use crate::session::Session;

const OPERATION: &str = "eks:DescribeClusterVersions";

/// A version as EKS lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    name: String,
    /// `STANDARD_SUPPORT`, `EXTENDED_SUPPORT`, `UNSUPPORTED`.
    status: String,
}

pub(super) async fn look(session: &Session, wanted: &str) -> Vec<Finding> {
    evaluate(wanted, &read(session).await)
}

async fn read(session: &Session) -> Result<Vec<Version>> {
    let client = aws_sdk_eks::Client::new(&session.config);
    let mut pages = client.describe_cluster_versions().into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Error::from_sdk(OPERATION, &error))?;
        let versions = page.cluster_versions.unwrap_or_default().into_iter().filter_map(|version| {
            let status = version.version_status.map(|status| status.as_str().to_uppercase());
            Some(Version { name: version.cluster_version?, status: status.unwrap_or_default() })
        });
        found.extend(versions);
    }
    Ok(found)
}

fn evaluate(wanted: &str, listed: &Result<Vec<Version>>) -> Vec<Finding> {
    let what = format!("whether EKS makes clusters of Kubernetes {wanted}");
    let listed = match listed {
        Ok(listed) if listed.is_empty() => {
            return vec![Finding::unchecked(Check::Version, &what, "EKS lists no versions")];
        }
        Ok(listed) => listed,
        Err(error) => return vec![Finding::of_read(Check::Version, &what, error, None)],
    };
    let offered = || {
        let names =
            listed.iter().filter(|version| version.status != "UNSUPPORTED").map(|version| version.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let one = listed.iter().find(|version| version.name == wanted);
    vec![match one.map(|version| version.status.as_str()) {
        None | Some("UNSUPPORTED") => Finding::problem(
            Check::Version,
            format!("EKS makes no clusters of Kubernetes {wanted} in this region"),
            format!("set cluster.version to one that it makes: {}", offered()),
        ),
        Some("EXTENDED_SUPPORT") => {
            let text = format!("Kubernetes {wanted} is in extended support: the control plane costs six times as much");
            Finding::fine(Check::Version, text)
        }
        Some(_) => Finding::fine(Check::Version, format!("EKS makes clusters of Kubernetes {wanted}")),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<Version> {
        [("1.35", "STANDARD_SUPPORT"), ("1.33", "EXTENDED_SUPPORT"), ("1.29", "UNSUPPORTED")]
            .map(|(name, status)| Version { name: name.to_owned(), status: status.to_owned() })
            .to_vec()
    }

    #[test]
    fn a_version_that_eks_does_not_make_is_a_problem_with_those_that_it_makes() {
        for gone in ["1.29", "1.36"] {
            let found = evaluate(gone, &Ok(listed())).remove(0);
            assert!(found.is_problem() && found.repair.as_deref().unwrap().ends_with("1.35, 1.33"), "{found:?}");
        }
        assert!(!evaluate("1.35", &Ok(listed()))[0].is_problem());
        assert!(evaluate("1.33", &Ok(listed()))[0].text.contains("six times"));
    }

    #[test]
    fn a_list_that_is_refused_or_empty_proves_nothing() {
        let refused = Error::Service {
            operation: OPERATION,
            code: "AccessDeniedException".into(),
            message: "no".into(),
            status: 403,
        };
        for listed in [Err(refused), Ok(Vec::new())] {
            let found = evaluate("1.35", &listed).remove(0);
            assert_eq!(found.outcome, super::super::Outcome::Unchecked, "{found:?}");
            assert!(found.text.contains("could not be checked: "), "{found:?}");
        }
    }
}
