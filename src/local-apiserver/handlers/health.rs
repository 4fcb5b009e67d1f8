//! `/healthz`, `/livez` and `/readyz`: what is checked, and that it is well.
//!
//! A server that answers has its store in its own memory, so that every check that there is passes.

use crate::request::{Query, Reply};

/// What is checked.
pub(super) const CHECKS: &[&str] = &["ping", "log", "etcd"];

/// `ok`, or with `verbose` each check; `exclude` leaves checks out.
pub(super) fn page(page: &str, query: &Query) -> Reply {
    if query.get("verbose").is_none() {
        return Reply::text(200, "ok");
    }
    let excluded = |check: &str| query.all("exclude").any(|name| name == check);
    let line = |check: &&str| format!("[+]{check} {}ok\n", if excluded(check) { "excluded: " } else { "" });
    let checks: String = CHECKS.iter().map(line).collect();
    let unknown: Vec<String> =
        query.all("exclude").filter(|name| !CHECKS.contains(name)).map(|name| format!("\"{name}\"")).collect();
    let warning = match unknown.join(", ") {
        names if names.is_empty() => names,
        names => format!("warn: some health checks cannot be excluded: no matches for {names}\n"),
    };
    Reply::text(200, &format!("{checks}{warning}{page} check passed\n"))
}
