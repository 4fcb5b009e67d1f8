//! Logs go to stderr: short text for a person, JSON inside pods, where programs read them.

use tracing_subscriber::EnvFilter;

use crate::arguments::command::Life;
use crate::env;

/// Starts logging as the command needs it; `SLUICE_LOG` overrides what `-v` asks for.
pub(crate) fn start(life: Life, verbose: u8) {
    let service = life != Life::Errand;
    let default = match (service, verbose) {
        // What the watcher library warns of, the operator reports itself, with the object and in fewer words.
        (true, 0) => "info,kube_runtime::watcher=error",
        (false, 0) => "error",
        (false, 1) => "warn,sluice=info,cli=info,provision=info,cluster=info,aws=info,verify=info",
        (_, 1 | 2) => "debug,hyper=info,hyper_util=info,rustls=info,tower=info,h2=info",
        _ => "trace",
    };
    let filter = env::log().and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(default));
    // A log line that cannot be written is lost; the library would say so on the same stderr, and panic.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    // Starting twice (in tests) keeps the first.
    let _ = if life == Life::PodService {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.with_target(service).try_init()
    };
}
