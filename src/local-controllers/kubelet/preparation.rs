//! From a container's spec to a command: its image's program, its variables, its paths, and its description for the
//! launcher.

use serde_json::Value;

use super::container::Refusal;
use super::environment;
use super::expansion::expand;
use super::mounts::Mounts;
use super::pod::Pod;
use super::process::Command;
use super::sandbox::{self, Given, Sandbox};
use super::user::User;
use super::{image, kubeconfig, stand_in, volumes};
use crate::Walls;
use crate::event::Severity;
use crate::object::{items, namespace, text};

/// The annotation by which a pod goes without what [`crate::Options::environment`] gives.
const ENVIRONMENT: &str = "sluice.dev/aws-endpoint";
/// Where programs are looked for in most images.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Resolves image, variables, command and paths, and describes the container for its launcher.
pub(super) async fn prepare(pod: &Pod, index: usize, spec: &Value) -> Result<Command, Refusal> {
    let image = text(spec, "/image");
    let program = image::program(image, &pod.node.options.images)
        .and_then(|program| program.ok_or_else(|| image::unknown(image)))
        .map_err(|message| Refusal { reason: "ErrImagePull", message })?;
    let configuration = |message: String| Refusal { reason: "CreateContainerConfigError", message };
    let mapped = program.path.clone();
    let (program, stand_in) = stand_in::instead_of(program, &pod.dir.join(text(spec, "/name")))
        .map_err(|error| configuration(error.to_string()))?;
    let broken = |error: crate::Error| Refusal { reason: "CreateContainerError", message: error.to_string() };
    // The status with the address has been written, but the watched copy may not show it yet.
    let object = pod.object_on_its_node();
    let spec = items(&object, "/spec/initContainers")
        .iter()
        .chain(items(&object, "/spec/containers"))
        .find(|one| text(one, "/name") == text(spec, "/name"))
        .unwrap_or(spec);
    let user = User::of(&object, spec).map_err(configuration)?;
    let sandbox = Sandbox::make(pod, spec, pod.restarts(index)).map_err(broken)?;
    let sources = volumes::fetch(pod, namespace(&object), environment::sources(spec)).await;
    let sources = sources.map_err(|error| configuration(error.to_string()))?;
    let own = environment::build(&object, spec, &sources).map_err(configuration)?;
    let walls = pod.node.options.walls;
    let mounts = if walls == Walls::Namespaces { Mounts::default() } else { Mounts::of(spec, &pod.dir, &own) };
    let mut variables = base_variables(pod, &object, user, &sandbox, &mounts).map_err(broken)?;
    let path = search_path([stand_in, program.folder].into_iter().flatten());
    variables.push(("PATH".to_owned(), path.clone()));
    let kubeconfig = environment::lookup(&variables, "KUBECONFIG").map(std::path::PathBuf::from);
    variables.extend(own.iter().map(|(name, value)| (name.clone(), mounts.rewrite(value))));
    let words = |pointer: &str| -> Vec<String> {
        let words = items(spec, pointer).iter().filter_map(Value::as_str);
        words.map(|word| mounts.rewrite(&expand(word, |name| environment::lookup(&variables, name)))).collect()
    };
    let argv = image::argv(&program.path, image, &words("/command"), &words("/args"));
    let folder = match walls {
        Walls::Namespaces => sandbox::folder(spec),
        _ => mounts.at(&sandbox::folder(spec)).unwrap_or(&sandbox.root).to_owned(),
    };
    let programs = [program.path, mapped];
    let given = Given {
        programs: &programs,
        path: &path,
        variables: &variables,
        kubeconfig: kubeconfig.as_deref(),
        folder: folder.clone(),
        user,
    };
    sandbox.describe(pod, &object, spec, &given).map_err(broken)?;
    if pod.restarts(index) == 0 {
        let message = format!("Container image \"{image}\" already present on machine");
        pod.container_event(spec, Severity::Normal, "Pulled", &message).await;
    }
    let launcher = pod.node.options.launcher.clone();
    Ok(Command { launcher, description: sandbox.file, last_words: sandbox.last_words, argv, variables, folder })
}

/// `PATH` as most images have it, after the folders of the image's own program.
fn search_path(own: impl Iterator<Item = std::path::PathBuf>) -> String {
    let own = own.map(|folder| folder.display().to_string());
    own.chain([SEARCH_PATH.to_owned()]).collect::<Vec<_>>().join(":")
}

/// What every container has, whatever its spec says.
fn base_variables(
    pod: &Pod,
    object: &Value,
    user: User,
    sandbox: &Sandbox,
    mounts: &Mounts,
) -> crate::Result<Vec<(String, String)>> {
    let (host, port) = pod.node.server_address();
    let mut variables = vec![
        ("HOSTNAME".to_owned(), sandbox::hostname(object)),
        ("KUBERNETES_SERVICE_HOST".to_owned(), host),
        ("KUBERNETES_SERVICE_PORT".to_owned(), port.clone()),
        ("KUBERNETES_SERVICE_PORT_HTTPS".to_owned(), port),
        // There is no instance metadata on Fargate; nothing should wait for its time-out.
        ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
        (clock::env::TIME_SCALE.to_owned(), pod.cache.clock.scale().to_string()),
    ];
    if crate::object::strings(&pod.object(), "/metadata/annotations")
        .get(ENVIRONMENT)
        .is_none_or(|said| said != "false")
    {
        let given = pod.node.options.environment.iter();
        variables.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    }
    if pod.node.options.walls == Walls::Namespaces {
        variables.push(("HOME".to_owned(), user.home().to_owned()));
        return Ok(variables);
    }
    // What a container finds at fixed paths has to be pointed at where it has no file system of its own.
    variables.push(("HOME".to_owned(), sandbox.root.display().to_string()));
    variables.push(("TMPDIR".to_owned(), pod.dir.join("tmp").display().to_string()));
    if let Some(path) = kubeconfig::write(pod, mounts)? {
        variables.push(("KUBECONFIG".to_owned(), path.display().to_string()));
    }
    Ok(variables)
}
