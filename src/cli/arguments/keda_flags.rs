//! The flags of KEDA's operator, so that a Deployment made for it starts this one: these are taken, and have no effect.
//!
//! Source: kedacore/keda v2.20.2 `cmd/operator/main.go` and controller-runtime's `pkg/log/zap`, `pkg/client/config`.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// Flags that are true where they stand alone; a value follows an equals sign only.
const SWITCHES: [&str; 10] = [
    "disable-compression",
    "enable-apiservice-patching",
    "enable-cert-rotation",
    "enable-high-cardinality-metrics-labels",
    "enable-opentelemetry-metrics",
    "enable-prometheus-metrics",
    "enable-webhook-patching",
    "leader-elect",
    "logtostderr",
    "zap-devel",
];
/// Flags with a value.
const VALUES: [&str; 21] = [
    "cert-dir",
    "cert-secret-name",
    "http-idle-conn-timeout",
    "http-max-idle-conns",
    "http-max-idle-conns-per-host",
    "k8s-cluster-domain",
    "k8s-cluster-name",
    "kube-api-burst",
    "kube-api-qps",
    "kubeconfig",
    "leader-election-id",
    "metrics-server-service-name",
    "metrics-service-bind-address",
    "operator-service-name",
    "profiling-bind-address",
    "validating-webhook-name",
    "webhooks-service-name",
    "zap-encoder",
    "zap-log-level",
    "zap-stacktrace-level",
    "zap-time-encoding",
];

/// Which of them were given.
#[derive(Debug, Default)]
pub struct KedaFlags {
    /// Their names, with the dashes.
    pub given: Vec<String>,
}

impl FromArgMatches for KedaFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let names = SWITCHES.iter().chain(&VALUES).filter(|name| matches.contains_id(name));
        Ok(Self { given: names.map(|name| format!("--{name}")).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for KedaFlags {
    fn augment_args(command: Command) -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name).hide(true).action(ArgAction::Append);
        let switch =
            |name: &&'static str| flag(name).num_args(0..=1).require_equals(true).default_missing_value("true");
        let value = |name: &&'static str| flag(name).num_args(1).allow_hyphen_values(true);
        command.args(SWITCHES.iter().map(switch)).args(VALUES.iter().map(value))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Vec<String>, clap::Error> {
        let matches = KedaFlags::augment_args(Command::new("operator")).try_get_matches_from(line.split(' '))?;
        Ok(KedaFlags::from_arg_matches(&matches)?.given)
    }

    #[test]
    fn the_arguments_of_kedas_own_deployment_are_taken_and_named() {
        let chart = "operator --leader-elect --zap-log-level=info --zap-encoder console --enable-cert-rotation=true \
                     --cert-dir=/certs --cert-dir /b --kube-api-qps=20.0";
        let mut expected =
            ["--enable-cert-rotation", "--leader-elect", "--cert-dir", "--kube-api-qps", "--zap-encoder"].to_vec();
        expected.push("--zap-log-level");
        assert_eq!(parsed(chart).unwrap(), expected);
        assert_eq!(parsed("operator").unwrap(), [""; 0]);
        assert!(parsed("operator --no-such-flag").is_err() && parsed("operator --zap-log-level").is_err());
    }
}
