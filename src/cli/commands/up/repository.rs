//! The stack's own place for its image: made first, so that the image is there before anything wants to run it.

use aws::ecr;
use image::Login;
use provision::{Action, Address, Plan};

use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::engine::Engine;
use crate::settings::Settings;
use crate::target::Target;

fn address() -> Address {
    Address::new("aws_ecr_repository", "this")
}

/// The image as a registry knows it. A repository of the stack's that the plan makes is made now, and the plan goes on from there.
pub(super) async fn image(engine: &mut Engine<'_>, plan: &mut Plan, settings: &Settings) -> Outcome<String> {
    let image = &settings.stack.operator.image;
    if !image.starts_with(stack::ECR_REGISTRY) {
        return Ok(image.clone());
    }
    let address = address();
    if let Some(part) = plan.only(&address) {
        let applied = engine.apply(&part).await?;
        if let Some(made) = applied.objects.get(&address) {
            plan.has_made(&address, made);
        }
    }
    let prior = plan.changes.iter().find(|change| change.address == address).and_then(|change| change.prior.as_ref());
    let registry = prior.and_then(|repository| repository.text("registry")).ok_or_else(|| {
        one(Diagnostic::error("the stack's own repository is not there, so nothing can be pushed to it"))
    })?;
    Ok(image.replacen(stack::ECR_REGISTRY, registry, 1))
}

/// Who pushes `image`, where that is whoever calls AWS.
pub(super) async fn login(image: &str, settings: &Settings, target: &Target) -> Outcome<Option<Login>> {
    let registry = image.split('/').next().unwrap_or_default();
    let session = match ecr::region_of(registry) {
        Some(region) => target.session.with_region(region),
        None if settings.stack.operator.image.starts_with(stack::ECR_REGISTRY) => target.session.clone(),
        None => return Ok(None),
    };
    let ecr::Login { user, password } = ecr::login(&session).await.map_err(one)?;
    Ok(Some(Login { user, password }))
}

/// A repository that is made by this plan is empty: pods on nodes could run nothing.
pub(super) fn check(plan: &Plan, push: bool, pulls: bool) -> Outcome<()> {
    let is_new = plan.changes.iter().any(|change| change.address == address() && change.action == Action::Create);
    if push || !pulls || !is_new {
        return Ok(());
    }
    let text = "the stack's own repository is made by this plan and holds no image that pods could run";
    Err(preflight(Diagnostic::error(text).help("send the program there with --push")))
}
