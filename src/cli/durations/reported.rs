//! How long steps take on AWS by public reports: data, in one place. `docs/aws.md` shows the table, and a test compares the two.

use std::time::Duration;

use provision::Action;

/// How long one action on one kind takes.
#[derive(Debug)]
pub(super) struct Reported {
    /// The kind of the resource, as in an address.
    pub(super) kind: &'static str,
    pub(super) action: Action,
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
    /// Where this is known from. TF-EKS is `terraform-aws-modules/terraform-aws-eks`, CR is `aws/containers-roadmap`.
    #[cfg_attr(not(test), expect(dead_code, reason = "the test that compares docs/aws.md reads it"))]
    source: &'static str,
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Sorted as a stack goes up and down.
pub(super) const REPORTED: &[Reported] = &[
    Reported {
        kind: "aws_eks_cluster",
        action: Action::Create,
        shortest: seconds(600),
        longest: seconds(960),
        source: "TF-EKS 3218 (10m06s); \"Unofficial EKS Cluster Creation Performance\", easontechtalk.com (13 to 16 min, 21 regions)",
    },
    Reported {
        kind: "aws_eks_cluster",
        action: Action::Update,
        shortest: seconds(90),
        longest: seconds(1320),
        source: "TF-EKS 2913 (1m30s, access configuration) and 326 (21m38s, a version)",
    },
    Reported {
        kind: "aws_eks_cluster",
        action: Action::Delete,
        shortest: seconds(180),
        longest: seconds(570),
        source: "TF-EKS 815 (9m14s); published logs of `terraform destroy` (3m26s, 9m20s)",
    },
    Reported {
        kind: "aws_eks_fargate_profile",
        action: Action::Create,
        shortest: seconds(25),
        longest: seconds(345),
        source: "CR 2392 (5m05s to 5m45s in 2024, 26 s in 2025)",
    },
    Reported {
        kind: "aws_eks_fargate_profile",
        action: Action::Delete,
        shortest: seconds(120),
        longest: seconds(1200),
        source: "CR 2392 (2 min), 1211 (20 min)",
    },
    Reported {
        kind: "aws_eks_addon",
        action: Action::Create,
        shortest: seconds(60),
        longest: seconds(900),
        source: "CR 649 (a pod on Fargate, over a minute); aws-ia/terraform-aws-eks-blueprints 642 (CoreDNS, 15 min)",
    },
    Reported {
        kind: "aws_iam_openid_connect_provider",
        action: Action::Create,
        shortest: seconds(1),
        longest: seconds(120),
        source: "awslabs/eks-perf-tests 599 (a new cluster's name shows after up to 2 min)",
    },
    Reported {
        kind: "aws_sqs_queue",
        action: Action::Create,
        shortest: seconds(1),
        longest: seconds(60),
        source: "SQS API Reference, CreateQueue and SetQueueAttributes",
    },
    Reported {
        kind: "aws_sqs_queue",
        action: Action::Delete,
        shortest: seconds(1),
        longest: seconds(60),
        source: "SQS API Reference, DeleteQueue",
    },
    Reported {
        kind: "kubernetes_deployment",
        action: Action::Create,
        shortest: seconds(60),
        longest: seconds(120),
        source: "CR 649 (over a minute); apache/airflow 28046 (close to 120 s)",
    },
];

/// What is reported of an action on a kind.
pub(super) fn of(kind: &str, action: Action) -> Option<&'static Reported> {
    REPORTED.iter().find(|reported| reported.kind == kind && reported.action == action)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::spelled::spelled;

    /// The table as `docs/aws.md` shows it.
    fn table() -> String {
        let mut text = String::from("| Resource | Action | Takes | Source |\n|---|---|---|---|\n");
        for Reported { kind, action, shortest, longest, source } in REPORTED {
            let action = serde_json::to_value(action).unwrap();
            let (shortest, longest) = (spelled(*shortest), spelled(*longest));
            let action = action.as_str().unwrap();
            writeln!(text, "| `{kind}` | {action} | {shortest} to {longest} | {source} |").unwrap();
        }
        text
    }

    #[test]
    fn the_documents_show_the_table() {
        let document = include_str!("../../../docs/aws.md");
        let expected = table();
        assert!(document.contains(&expected), "docs/aws.md must hold:\n{expected}");
    }

    #[test]
    fn each_action_stands_once_and_no_range_is_empty() {
        for row in REPORTED {
            let same = REPORTED.iter().filter(|other| other.kind == row.kind && other.action == row.action);
            assert_eq!(same.count(), 1, "{row:?}");
            assert!(row.shortest < row.longest, "{row:?}");
        }
    }
}
