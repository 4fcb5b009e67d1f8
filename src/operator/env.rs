//! The environment variables of the operator; KEDA's names where KEDA has one
//! (`docs/rules.md#keda-environment-variables`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::settings::Settings;

/// Namespaces to watch, separated by commas; empty or unset means all.
pub const WATCH_NAMESPACE: &str = "WATCH_NAMESPACE";
/// The operator's own namespace.
pub const POD_NAMESPACE: &str = "POD_NAMESPACE";
/// The pod's name, the identity in the lease.
pub const POD_NAME: &str = "POD_NAME";
/// The pod's address.
pub const POD_IP: &str = "POD_IP";
/// Namespace of the Secrets and ConfigMaps that ClusterTriggerAuthentications name.
pub const KEDA_CLUSTER_OBJECT_NAMESPACE: &str = "KEDA_CLUSTER_OBJECT_NAMESPACE";
/// `true`: Secrets of the cluster object namespace alone are read.
pub const KEDA_RESTRICT_SECRET_ACCESS: &str = "KEDA_RESTRICT_SECRET_ACCESS";
/// Parallel reconciles of ScaledObjects.
pub const KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES: &str = "KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES";
/// Duration of the leader lease, such as `15s`.
pub const KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION: &str = "KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION";
/// How long a leader tries to renew, such as `10s`.
pub const KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE: &str = "KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE";
/// Pause between attempts, such as `2s`.
pub const KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD: &str = "KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD";

/// Variables that KEDA's operator reads and that change nothing here.
const UNSERVED: [&str; 17] = [
    "KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY",
    "KEDA_CHECK_UNEXPECTED_SCALERS_PARAMS",
    "KEDA_HTTP_DEFAULT_TIMEOUT",
    "KEDA_HTTP_DISABLE_KEEP_ALIVE",
    "KEDA_HTTP_MIN_TLS_VERSION",
    "KEDA_HTTP_TLS_CIPHER_LIST",
    "KEDA_SCALEDJOB_CTRL_MAX_RECONCILES",
    "KEDA_SERVICE_MIN_TLS_VERSION",
    "KEDA_SERVICE_TLS_CIPHER_LIST",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "WATCH_LABEL_SELECTOR",
    "WATCH_LABEL_SELECTOR_FOR_TRIGGERAUTH",
];

impl Settings {
    /// The defaults with what the environment says.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] names the variable whose value makes no sense.
    #[expect(clippy::disallowed_methods, reason = "env.rs is where variables are read")]
    pub fn from_env() -> Result<Self> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut settings = Self::default();
        let text = |name: &str| read(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        if let Some(list) = text(WATCH_NAMESPACE) {
            settings.watch_namespaces =
                list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        }
        if let Some(namespace) = text(POD_NAMESPACE) {
            settings.namespace = namespace;
        }
        settings.cluster_object_namespace =
            text(KEDA_CLUSTER_OBJECT_NAMESPACE).unwrap_or_else(|| settings.namespace.clone());
        if let Some(name) = text(POD_NAME).or_else(|| text("HOSTNAME")) {
            settings.identity = name;
        }
        if let Some(address) = text(POD_IP) {
            let address = address.parse().map_err(|_| Error::setting(POD_IP, &address, "an IP address"))?;
            settings.bind = listening(address);
        }
        if let Some(flag) = text(KEDA_RESTRICT_SECRET_ACCESS) {
            settings.restricts_secrets = match flag.to_ascii_lowercase().as_str() {
                "true" => true,
                "false" => false,
                _ => return Err(Error::setting(KEDA_RESTRICT_SECRET_ACCESS, &flag, "true or false")),
            };
        }
        settings.unserved = UNSERVED.into_iter().filter(|name| text(name).is_some()).collect();
        if let Some(number) = text(KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES) {
            let parsed = number.parse().ok().filter(|count| *count > 0);
            settings.reconciles_max = parsed
                .ok_or_else(|| Error::setting(KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES, &number, "a positive number"))?;
        }
        let duration = |name: &str, default: Duration| match text(name) {
            None => Ok(default),
            Some(value) => parse_duration(&value).ok_or_else(|| Error::setting(name, &value, "a duration such as 15s")),
        };
        settings.lease.duration = duration(KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION, settings.lease.duration)?;
        settings.lease.renew_deadline =
            duration(KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE, settings.lease.renew_deadline)?;
        settings.lease.retry = duration(KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD, settings.lease.retry)?;
        Ok(settings)
    }
}

/// Where to listen in a pod of this address: on all of its own, so that a port that is forwarded arrives as well, which comes
/// over the pod's loopback. A loopback address may be one of several on one interface, each another pod's.
fn listening(pod: IpAddr) -> IpAddr {
    match pod {
        _ if pod.is_loopback() => pod,
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// A Go duration such as `1m30s` or `500ms`; positive.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = tail;
    }
    Duration::try_from_secs_f64(total).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings> {
        Settings::from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn keda_names_are_understood() {
        let settings = settings(&[
            (WATCH_NAMESPACE, "a, b"),
            (POD_NAMESPACE, "system"),
            (POD_NAME, "keda-operator-0"),
            (POD_IP, "127.3.0.9"),
            (KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION, "1m30s"),
        ])
        .unwrap();
        assert_eq!(settings.watch_namespaces, ["a", "b"]);
        assert_eq!((settings.namespace.as_str(), settings.cluster_object_namespace.as_str()), ("system", "system"));
        assert_eq!(settings.identity, "keda-operator-0");
        assert_eq!(settings.bind.to_string(), "127.3.0.9");
        assert_eq!(settings.lease.duration, Duration::from_secs(90));
    }

    #[test]
    fn an_empty_watch_namespace_means_all() {
        assert!(settings(&[(WATCH_NAMESPACE, "")]).unwrap().watch_namespaces.is_empty());
    }

    #[test]
    fn a_forwarded_port_arrives_whatever_the_address_of_the_pod_is() {
        let bind = |address: &str| settings(&[(POD_IP, address)]).unwrap().bind.to_string();
        assert_eq!((bind("10.0.3.9"), bind("fd00::9")), ("0.0.0.0".to_owned(), "::".to_owned()));
        assert_eq!(bind("127.3.0.9"), "127.3.0.9", "others may have the port on another loopback address");
    }

    #[test]
    fn what_keda_reads_and_is_not_served_is_named() {
        let found = settings(&[("KEDA_HTTP_DEFAULT_TIMEOUT", "3000"), ("KEDA_OPERATOR_SERVICE_HOST", "10.0.0.1")]);
        assert_eq!(found.unwrap().unserved, ["KEDA_HTTP_DEFAULT_TIMEOUT"]);
        let restricts =
            |flag: &str| settings(&[(KEDA_RESTRICT_SECRET_ACCESS, flag)]).map(|found| found.restricts_secrets);
        assert!(restricts("True").unwrap() && !restricts("false").unwrap() && !restricts("").unwrap());
        assert!(restricts("yes").is_err());
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let error = settings(&[(POD_IP, "here")]).unwrap_err().to_string();
        assert!(error.contains("POD_IP") && error.contains("here"), "{error}");
        assert!(settings(&[(KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD, "2 seconds")]).is_err());
        assert!(settings(&[(KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES, "0")]).is_err());
    }
}
