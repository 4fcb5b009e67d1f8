//! What the environment says about the pod.

/// The pod's name: `POD_NAME`, else `HOSTNAME`; empty if neither is set.
#[expect(clippy::disallowed_methods, reason = "env.rs is where variables are read")]
pub fn pod_name() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    set("POD_NAME").or_else(|| set("HOSTNAME")).unwrap_or_default()
}
