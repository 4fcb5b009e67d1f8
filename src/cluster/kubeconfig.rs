//! Kubeconfig files for people and tools. They hold no secret: tokens come from an exec credential command.

use serde_json::json;

use crate::connection::Endpoint;

/// What a kubeconfig needs.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Name of cluster, user and context; usually the cluster's ARN or name.
    pub name: &'a str,
    /// Where the API server is.
    pub endpoint: &'a Endpoint,
    /// The program that prints an ExecCredential, such as `/usr/bin/sluice`.
    pub command: &'a str,
    /// Its arguments, such as `token`, `--cluster`, `sluice-demo`.
    pub args: Vec<String>,
    /// Environment that the program needs beyond the caller's; no secrets.
    pub env: Vec<(String, String)>,
    /// Default namespace of the context.
    pub namespace: Option<&'a str>,
}

/// The file's text. It is JSON, which is YAML too.
pub fn render(entry: &Entry<'_>) -> String {
    let env: Vec<_> = entry.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let mut context = json!({ "cluster": entry.name, "user": entry.name });
    if let Some(namespace) = entry.namespace {
        context["namespace"] = namespace.into();
    }
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": entry.name, "cluster": {
            "server": entry.endpoint.server,
            "certificate-authority-data": entry.endpoint.certificate_authority,
        }}],
        "users": [{ "name": entry.name, "user": { "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": entry.command,
            "args": entry.args,
            "env": env,
            "interactiveMode": "Never",
            "provideClusterInfo": false,
        }}}],
        "contexts": [{ "name": entry.name, "context": context }],
        "current-context": entry.name,
    });
    format!("{kubeconfig:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_is_read_by_the_client_and_runs_the_command() {
        let endpoint = Endpoint { server: "https://127.0.0.1:1".into(), certificate_authority: "Q0E=".into() };
        let args = vec!["token".to_owned()];
        let entry =
            Entry { name: "c", endpoint: &endpoint, command: "sluice", args, env: Vec::new(), namespace: Some("n") };
        let kubeconfig: kube::config::Kubeconfig = serde_saphyr::from_str(&render(&entry)).unwrap();
        let user = kubeconfig.auth_infos[0].auth_info.as_ref().unwrap();
        assert_eq!(user.exec.as_ref().unwrap().command.as_deref(), Some("sluice"));
        assert!(user.token.is_none());
    }
}
