//! Whether Fargate can pull what the stack runs. Its nodes are linux/amd64 (aws/containers-roadmap 1629), and have no credentials
//! but the execution role's, which are of use for ECR alone.

use std::collections::BTreeSet;

use aws::preflight::{Check, Finding};
use image::{Name, Options, Reader, Seen};

use crate::settings::Settings;
use crate::target::Target;

/// What Fargate's nodes are.
const NODES: &str = "linux/amd64";

pub(super) async fn look(settings: &Settings, target: &Target, push: bool) -> Vec<Finding> {
    let stack = &settings.stack;
    let own = &stack.operator.image;
    let pulls = makes_cluster_on_aws(target);
    let mut found = Vec::new();
    let all: BTreeSet<&String> = stack.workloads.iter().map(|workload| &workload.image).chain([own]).collect();
    for image in all {
        let is_sent = push && image == own;
        if image == own && !names_registry(image) && (push || pulls) {
            let repair = "name one with --image, such as ACCOUNT.dkr.ecr.REGION.amazonaws.com/sluice:TAG, and send it there with --push";
            let text = format!("the image {image} names no registry that pods could get it from");
            found.push(Finding::problem(Check::Image, text, repair));
        } else if pulls && !is_sent {
            found.push(seen(image).await);
        }
    }
    found
}

/// Nodes pull images there, and nobody loads them onto nodes.
pub(crate) fn makes_cluster_on_aws(target: &Target) -> bool {
    target.asks && target.existing.is_none()
}

/// A name without one means Docker's own images, and this program is none of them.
pub(crate) fn names_registry(image: &str) -> bool {
    image.contains('/')
}

async fn seen(image: &str) -> Finding {
    let name = match Name::parse(image) {
        Ok(name) => name,
        // Kubernetes takes such a name as Docker's `latest`, which a registry is asked for by that tag.
        Err(_) => match Name::parse(&format!("{image}:latest")) {
            Ok(name) => name,
            Err(error) => return Finding::problem(Check::Image, error.to_string(), "mend the name of the image"),
        },
    };
    let is_ecr = is_ecr(name.registry());
    let reader = if is_ecr { Reader::User(Options::default()) } else { Reader::Nobody };
    evaluate(image, is_ecr, image::look(&name, &reader).await)
}

/// Whether the execution role opens it.
fn is_ecr(registry: &str) -> bool {
    registry.contains(".dkr.ecr.") && (registry.ends_with(".amazonaws.com") || registry.ends_with(".amazonaws.com.cn"))
}

fn evaluate(image: &str, is_ecr: bool, seen: image::Result<Seen>) -> Finding {
    match seen {
        Ok(Seen::Image(platforms)) if platforms.iter().any(|one| one == NODES) => {
            Finding::fine(Check::Image, format!("{image} is there, for {NODES}"))
        }
        Ok(Seen::Image(platforms)) => {
            let text = format!("the image {image} is for {}, and pods of Fargate are {NODES}", platforms.join(", "));
            Finding::problem(Check::Image, text, format!("build and push it for {NODES}"))
        }
        Ok(Seen::Missing) => {
            let repair = "mend the name, or send it there: --push with `sluice up`, or `sluice image push`";
            Finding::problem(Check::Image, format!("there is no image {image}"), repair)
        }
        Ok(Seen::Denied) if is_ecr => {
            let why =
                "ECR wants credentials, which pods have by their role; `docker login` lets the preflight look as well";
            Finding::unchecked(Check::Image, &format!("whether {image} is there"), why)
        }
        Ok(Seen::Denied) => {
            let text = format!("the registry of {image} shows it to nobody without credentials, and pods have none");
            Finding::problem(
                Check::Image,
                text,
                "make it public, mend the name, or put it into ECR, which pods of Fargate may read",
            )
        }
        // This machine may be where the nodes are not.
        Err(error) => Finding::unchecked(Check::Image, &format!("whether {image} is there"), error),
    }
}

#[cfg(test)]
mod tests {
    use aws::preflight::Outcome;

    use super::*;

    fn outcome(is_ecr: bool, seen: Seen) -> Outcome {
        evaluate("registry.example/sluice:1", is_ecr, Ok(seen)).outcome
    }

    #[test]
    fn only_an_image_for_the_nodes_platform_is_fine() {
        let platforms = |all: &[&str]| Seen::Image(all.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(outcome(false, platforms(&["linux/arm64", "linux/amd64"])), Outcome::Fine);
        assert_eq!(outcome(false, platforms(&["linux/arm64"])), Outcome::Problem);
        assert_eq!(outcome(false, Seen::Missing), Outcome::Problem);
        assert_eq!(outcome(false, Seen::Denied), Outcome::Problem);
        assert_eq!(outcome(true, Seen::Denied), Outcome::Unchecked);
    }

    #[test]
    fn pods_may_read_ecr_by_their_role() {
        assert!(is_ecr("111122223333.dkr.ecr.ap-northeast-1.amazonaws.com"));
        assert!(is_ecr("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn"));
        assert!(!is_ecr("public.ecr.aws") && !is_ecr("x.dkr.ecr.example"));
    }
}
