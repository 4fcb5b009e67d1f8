//! What can be known to fail before the first step, of all rooms in one list: AWS, a cluster of the user's, the images, and what
//! exists already. `up` and `demo` look before they ask; `sluice preflight` only looks.

mod images;
mod wanted;

pub(crate) use images::{makes_cluster_on_aws, names_registry};

use aws::cloud::Cloud;
use aws::preflight::{Check, Finding, Outcome as Ended};
use serde_json::json;

use crate::assembly;
use crate::diagnostic::{Diagnostic, Outcome};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::{self, Target};
use crate::view::{Tone, View};
use crate::waiting;

/// All that was found out.
#[derive(Debug)]
pub(crate) struct Findings(Vec<Finding>);

/// Looks everywhere. With `push`, the image is sent first, so that it need not be there.
pub(crate) async fn look(settings: &Settings, target: &Target, push: bool, view: &View) -> Findings {
    let cloud = Cloud::new(&target.session, &settings.stack.name, "preflight", "", &std::collections::BTreeMap::new());
    let wanted = wanted::of(settings, target);
    // What is wrong with them is said by the plan.
    let manifests = assembly::manifests(&settings.stack, target).unwrap_or_default();
    let looking = async {
        let of_aws = Box::pin(aws::preflight::look(&cloud, &wanted));
        let of_cluster = Box::pin(target::missing_rights(target, &manifests));
        let of_images = Box::pin(images::look(settings, target, push));
        let (mut found, cluster, images) = futures::join!(of_aws, of_cluster, of_images);
        found.extend(cluster);
        found.extend(images);
        found
    };
    let mut found = waiting::during(view, "Waiting for the answers of the preflight", looking).await;
    found.sort_by_key(|finding| finding.check);
    Findings(found)
}

impl Findings {
    /// Shows what is fine or unknown, and gives `planned` where nothing is a problem. Otherwise all problems come together, with
    /// what else keeps the plan from being made. `has_cluster`: what only a new cluster needs is left out.
    pub(crate) fn conclude<T>(
        mut self,
        planned: Outcome<T>,
        has_cluster: bool,
        view: &View,
        is_whole: bool,
    ) -> Outcome<T> {
        if has_cluster {
            self.0.retain(|found| matches!(found.check, Check::Rights | Check::Image | Check::Cluster));
        }
        view.event("preflight", json!({ "findings": self.0 }));
        self.show(view, is_whole);
        let problems: Vec<_> = self.0.iter().filter(|found| found.is_problem()).map(diagnostic).collect();
        if problems.is_empty() {
            return planned;
        }
        Err(problems.into_iter().chain(planned.err().unwrap_or_default()).collect())
    }

    fn show(&self, view: &View, is_whole: bool) {
        let count = |ended: Ended| self.0.iter().filter(|found| found.outcome == ended).count();
        for found in &self.0 {
            match found.outcome {
                Ended::Fine if is_whole => view.print(Tone::Good, format!("  ✓ {}", found.text)),
                Ended::Unchecked => view.print(Tone::Change, format!("  ? {}", found.text)),
                Ended::Fine | Ended::Problem => {}
            }
        }
        let (fine, unknown, problems) = (count(Ended::Fine), count(Ended::Unchecked), count(Ended::Problem));
        let tone = if problems > 0 { Tone::Bad } else { Tone::Dim };
        view.print(tone, format!("Preflight: {problems} problems, {unknown} could not be checked, {fine} are fine."));
    }
}

fn diagnostic(found: &Finding) -> Diagnostic {
    let problem = Diagnostic::error(&found.text).exit(Exit::Preflight);
    match &found.repair {
        Some(repair) => problem.help(repair),
        None => problem,
    }
}
