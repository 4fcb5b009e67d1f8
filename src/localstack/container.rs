//! The container, by way of the crate testcontainers: it outlives the process that starts it, and the next one finds it by
//! its name and label.

use std::time::Duration;

use clock::Clock;
use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt, ReuseDirective};

use crate::{Error, Result, services};

/// The port of all services.
const PORT: u16 = 4566;
const LABEL: &str = "dev.sluice.stack";
/// Pulling the image is part of it.
const START_LIMIT: Duration = Duration::from_mins(5);
/// From a started container to one that answers.
const READY_LIMIT: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(200);

/// A container that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its endpoint as this machine sees it.
    pub endpoint: String,
}

/// The stack's container, started if it does not run, once it answers.
///
/// `say` is given why it does not answer yet, at each look.
///
/// # Errors
///
/// [`Error::Image`] if `image` has no tag. [`Error::Docker`] if there is no Docker, or the image cannot be had.
/// [`Error::NotReady`] if LocalStack does not answer within two minutes of the container's start.
pub async fn start(stack: &str, image: &str, clock: &Clock, say: &(dyn Fn(&str) + Sync)) -> Result<Container> {
    let failed = |cause: testcontainers::TestcontainersError| Error::Docker { step: "start", cause: chain(&cause) };
    let container: ContainerAsync<GenericImage> = request(stack, image)?.start().await.map_err(failed)?;
    let port = container.get_host_port_ipv4(PORT.tcp()).await.map_err(failed)?;
    let endpoint = format!("http://127.0.0.1:{port}");
    let begun = clock.moment();
    loop {
        match services(&endpoint, clock).await {
            Ok(_) => return Ok(Container { endpoint }),
            Err(error) if clock.elapsed(begun) > READY_LIMIT => {
                return Err(Error::NotReady { endpoint, seconds: READY_LIMIT.as_secs(), last: error.to_string() });
            }
            Err(error) => {
                say(&format!("the container runs: {error}"));
                clock.sleep(PAUSE).await;
            }
        }
    }
}

/// Removes the stack's container.
///
/// # Errors
///
/// [`Error::Image`] if `image` has no tag. [`Error::Docker`] if there is no Docker, or it refuses.
pub async fn remove(stack: &str, image: &str) -> Result<()> {
    let failed = |cause: testcontainers::TestcontainersError| Error::Docker { step: "remove", cause: chain(&cause) };
    // Found by the same request that started it.
    let container: ContainerAsync<GenericImage> = request(stack, image)?.start().await.map_err(failed)?;
    container.rm().await.map_err(failed)
}

fn request(stack: &str, image: &str) -> Result<ContainerRequest<GenericImage>> {
    // The last colon may belong to a registry's port.
    let (name, tag) = image
        .rsplit_once(':')
        .filter(|(name, tag)| !name.is_empty() && !tag.is_empty() && !tag.contains('/'))
        .ok_or_else(|| Error::Image(image.to_owned()))?;
    let image = GenericImage::new(name, tag).with_exposed_port(PORT.tcp());
    Ok(image
        .with_container_name(format!("sluice-{stack}-localstack"))
        .with_label(LABEL, stack)
        .with_reuse(ReuseDirective::Always)
        .with_startup_timeout(START_LIMIT)
        // URLs that end in /ACCOUNT/NAME, as those of AWS do and as KEDA's trigger wants them; the host in them is not used
        // by clients that are given an endpoint.
        .with_env_var("SQS_ENDPOINT_STRATEGY", "standard")
        .with_env_var("EAGER_SERVICE_LOADING", "0"))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_needs_a_tag_and_a_registry_port_is_none() {
        assert!(request("s", "localhost:5000/localstack:4").is_ok());
        for image in ["localstack", "localhost:5000/localstack", ":4", "localstack:"] {
            assert!(matches!(request("s", image), Err(Error::Image(_))), "{image}");
        }
    }
}
