//! The environment variables that the suites read.

use std::ffi::OsString;

/// Set to 1: missing pieces fail instead of being skipped.
pub(crate) const REQUIRED: &str = "SLUICE_E2E_REQUIRED";
/// Names of scenarios, with commas between them; all if not set.
pub(crate) const SCENARIOS: &str = "SLUICE_E2E_SCENARIOS";
/// Names of what `servers` looks at, with commas between them; all if not set.
pub(crate) const SERVERS: &str = "SLUICE_E2E_SERVERS";
/// A kubeconfig whose current context is a cluster that may be used up.
pub(crate) const KUBECONFIG: &str = "KUBECONFIG";
/// LocalStack's image.
pub(crate) const LOCALSTACK_IMAGE: &str = "SLUICE_LOCALSTACK_IMAGE";
/// The certificates (PEM) of the issuer of that cluster's ServiceAccount tokens.
pub(crate) const TRUST: &str = "SLUICE_E2E_TRUST";
/// The address of this machine at which pods of that cluster reach it.
pub(crate) const BIND: &str = "SLUICE_E2E_BIND";
/// The file that holds the process id of that cluster's API server.
pub(crate) const APISERVER: &str = "SLUICE_E2E_APISERVER_PID_FILE";
/// The file to which that cluster's API server writes its audit log, of the level Metadata at least.
pub(crate) const AUDIT_LOG: &str = "SLUICE_E2E_AUDIT_LOG";
/// The file to which that cluster's API server writes its log.
pub(crate) const APISERVER_LOG: &str = "SLUICE_E2E_APISERVER_LOG";

/// A folder of programs, among them moto_server and a Python that has boto3.
pub(crate) const MOTO: &str = "SLUICE_E2E_MOTO";

/// A variable that is set to something.
pub(crate) fn get(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The same as text.
pub(crate) fn text(name: &str) -> Option<String> {
    get(name).map(|value| value.to_string_lossy().into_owned())
}

/// Whether missing pieces are a failure.
pub(crate) fn is_required() -> bool {
    get(REQUIRED).is_some_and(|value| value == "1")
}
