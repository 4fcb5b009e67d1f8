//! Which content the stack's images are. A tag stays the same when something else is pushed under it, and pods of that tag would go on
//! as they are; a digest changes with the content, so that the plan shows the change and Deployments roll.
//!
//! An annotation with the digest would roll pods as well, but a node that has the tag already would start the old content
//! (Kubernetes documentation, "Images", "Image pull policy": `IfNotPresent`).

use std::collections::{BTreeMap, BTreeSet};

use ::image::{Login, Name, Options, Tagged};
use aws::ecr;
use provision::{Address, State, store};
use serde_json::{Value, json};

use crate::diagnostic::{Outcome, one};
use crate::preflight::{makes_cluster_on_aws, names_registry};
use crate::settings::Settings;
use crate::target::Target;
use crate::view::{Tone, View};
use crate::waiting;

/// The settings with images named by digest as well: what is about to be `sent` as the stack's own image, or else what the registry
/// has under the tag now, or else, where it cannot be asked, what the last run named.
///
/// A registry is asked where the nodes of a cluster of the stack's pull from it, and for an image that an earlier run named so.
pub(crate) async fn pinned(settings: &Settings, target: &Target, sent: Option<&str>, view: &View) -> Outcome<Settings> {
    let recorded = Recorded::of(store::load(&settings.state()).map_err(one)?.as_ref());
    let own = &settings.stack.operator.image;
    let mut digests = BTreeMap::new();
    for image in tags(settings) {
        let digest = match sent {
            Some(digest) if image == *own => Some(digest.to_owned()),
            _ => current(&image, &recorded, target, view).await,
        };
        digests.extend(digest.map(|digest| (image, digest)));
    }
    let mut pinned = settings.clone();
    let workloads = pinned.stack.workloads.iter_mut().map(|workload| &mut workload.image);
    for image in workloads.chain([&mut pinned.stack.operator.image]) {
        if let Some(digest) = digests.get(image) {
            *image = format!("{image}@{digest}");
        }
    }
    Ok(pinned)
}

/// The images that a registry has under a tag. One that names no registry was brought to the nodes.
fn tags(settings: &Settings) -> BTreeSet<String> {
    let stack = &settings.stack;
    let all = stack.workloads.iter().map(|workload| &workload.image).chain([&stack.operator.image]);
    all.filter(|image| names_registry(image) && !image.contains('@')).cloned().collect()
}

/// The digest of what runs under this tag from now on; `None` where nobody says.
async fn current(image: &str, recorded: &Recorded, target: &Target, view: &View) -> Option<String> {
    let resolved = recorded.resolved(image)?;
    let known = recorded.digest(&resolved);
    if known.is_none() && !makes_cluster_on_aws(target) {
        return None;
    }
    let what = format!("Asking which content {resolved} is");
    let why = match waiting::during(view, &what, from_registry(&resolved, image != resolved, target)).await {
        Ok(Tagged::Content(digest)) => return Some(digest),
        Ok(other) => other.to_string(),
        Err(why) => why,
    };
    let goes_on =
        if known.is_some() { "pods stay at what the last run named" } else { "pods run what the tag is then" };
    view.outcome(
        "image_unchecked",
        json!({ "image": resolved, "reason": why, "digest": known }),
        Tone::Dim,
        format!("Whether {resolved} has changed could not be asked ({why}); {goes_on}."),
    );
    known
}

/// Asks as whoever calls AWS, where that is who may read there.
async fn from_registry(resolved: &str, is_of_stack: bool, target: &Target) -> Result<Tagged, String> {
    // Kubernetes takes a name without a tag as Docker's `latest`.
    let name = Name::parse(resolved).or_else(|_| Name::parse(&format!("{resolved}:latest")));
    let name = name.map_err(|error| error.to_string())?;
    let session = match ecr::region_of(name.registry()) {
        Some(region) => Some(target.session.with_region(region)),
        None => is_of_stack.then(|| target.session.clone()),
    };
    let login = match session {
        Some(session) => Some(ecr::login(&session).await.map_err(|error| error.to_string())?),
        None => None,
    };
    let login = login.map(|ecr::Login { user, password }| Login { user, password });
    let options = Options { login, ..Options::default() };
    ::image::tagged(&name, &options).await.map_err(|error| error.to_string())
}

/// What the state says of images.
#[derive(Debug, Default)]
struct Recorded {
    /// The host of the stack's own repository.
    registry: Option<String>,
    /// The images of the Deployments.
    images: Vec<String>,
}

impl Recorded {
    fn of(state: Option<&State>) -> Self {
        let Some(state) = state else { return Self::default() };
        let mut recorded = Self::default();
        let repository = Address::new("aws_ecr_repository", "this");
        for (address, entry) in &state.resources {
            let Some(object) = &entry.object else { continue };
            if *address == repository {
                recorded.registry = object.text("registry").map(str::to_owned);
            } else if address.kind() == "kubernetes_deployment" {
                recorded.images.extend(object.attributes.get("manifest").map(images).unwrap_or_default());
            }
        }
        recorded
    }

    /// The image as a registry knows it; `None` while the stack's own repository is not there.
    fn resolved(&self, image: &str) -> Option<String> {
        match image.strip_prefix(stack::ECR_REGISTRY) {
            Some(rest) => self.registry.as_ref().map(|registry| format!("{registry}{rest}")),
            None => Some(image.to_owned()),
        }
    }

    fn digest(&self, resolved: &str) -> Option<String> {
        let digest = |image: &String| Some(image.strip_prefix(resolved)?.strip_prefix('@')?.to_owned());
        self.images.iter().find_map(digest)
    }
}

/// The images of a Deployment's containers.
fn images(manifest: &Value) -> Vec<String> {
    let containers = manifest.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let image = |container: &Value| container["image"].as_str().map(str::to_owned);
    containers.into_iter().flatten().filter_map(image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_the_content_of_its_own_tag_alone() {
        let manifest = json!({ "spec": { "template": { "spec": { "containers": [
            { "image": "r.example/team/sluice:1@sha256:aa" }, { "image": "r.example/other:2" },
        ] } } } });
        let recorded = Recorded { registry: Some("r.example".to_owned()), images: images(&manifest) };
        assert_eq!(recorded.digest("r.example/team/sluice:1").as_deref(), Some("sha256:aa"));
        for other in ["r.example/team/sluice:10", "r.example/team/sluice", "r.example/other:2"] {
            assert_eq!(recorded.digest(other), None, "{other}");
        }
        let own = format!("{}/team/sluice:1", stack::ECR_REGISTRY);
        assert_eq!(recorded.resolved(&own).as_deref(), Some("r.example/team/sluice:1"));
        assert_eq!(Recorded::default().resolved(&own), None);
    }
}
