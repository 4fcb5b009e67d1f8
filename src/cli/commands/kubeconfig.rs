//! `sluice kubeconfig`: how kubectl finds the cluster. It holds no secret: tokens come from `sluice token`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aws::cloud::Cloud;
use serde_json::{Value, json};

use crate::arguments::{Kubeconfig, TargetName};
use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::engine;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::Target;
use crate::view::{Tone, View};

pub(crate) async fn run(wanted: &Kubeconfig, settings: &Settings, target: &Target, view: &View) -> Outcome {
    if let Some(path) = &wanted.write {
        write(settings, target, path).await?;
        view.outcome("kubeconfig_written", json!({ "path": path }), Tone::Plain, format!("Wrote {}", path.display()));
    } else {
        let text = text(settings, target).await?;
        if view.is_human() {
            View::raw(&text);
        } else {
            // It is written as JSON, which is YAML as well.
            let kubeconfig: Value = serde_json::from_str(&text).map_err(one)?;
            view.event("kubeconfig", json!({ "kubeconfig": kubeconfig }));
        }
    }
    Ok(Exit::Done)
}

/// Writes the kubeconfig.
pub(crate) async fn write(settings: &Settings, target: &Target, path: &Path) -> Outcome<()> {
    std::fs::write(path, text(settings, target).await?).map_err(one)
}

async fn text(settings: &Settings, target: &Target) -> Outcome<String> {
    if let Some(existing) = &target.existing {
        let text = format!("the cluster is your own: context {} of your kubeconfig", existing.context);
        let help = format!("use `kubectl --context {}`", existing.context);
        return Err(vec![Diagnostic::error(text).help(help).exit(Exit::Usage)]);
    }
    let stack = &settings.stack;
    let cloud = Arc::new(Cloud::new(&target.session, &stack.name, "kubeconfig", "", &BTreeMap::new()));
    let name = &stack.cluster.name;
    let endpoint = engine::locate(cloud, name.clone(), target.clock.clone()).await;
    let endpoint = endpoint.map_err(|cause| vec![Diagnostic::error(cause)])?.ok_or_else(|| {
        let text = format!("there is no cluster {name}");
        preflight(Diagnostic::error(text).help("bring it up with `sluice up`"))
    })?;
    let command = std::env::current_exe().map_err(one)?;
    let folder = settings.folder.parent().unwrap_or(&settings.folder);
    let folder = std::path::absolute(folder).map_err(one)?;
    let target_name = match settings.target {
        TargetName::Local => "local",
        TargetName::Localstack => "localstack",
        TargetName::Aws => "aws",
    };
    let words = ["token", "--target", target_name, "--stack", &stack.name, "--region", &stack.region, "--directory"];
    let mut args: Vec<String> = words.map(str::to_owned).to_vec();
    args.extend([folder.display().to_string(), "--cluster-name".to_owned(), name.clone()]);
    Ok(cluster::kubeconfig::render(&cluster::kubeconfig::Entry {
        name,
        endpoint: &endpoint,
        command: &command.display().to_string(),
        args,
        env: Vec::new(),
        namespace: None,
    }))
}
