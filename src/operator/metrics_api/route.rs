//! Paths and selectors of the external metrics API
//! (`docs/rules.md#keda-external-metrics-discovery`, `docs/rules.md#keda-external-metrics-requests`).

use keda::naming::SCALED_OBJECT_LABEL;

use super::request_info::decoded;

pub(super) const GROUP: &str = "external.metrics.k8s.io";
pub(super) const VERSION: &str = "v1beta1";

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The list of paths.
    Index,
    /// The document of OpenAPI v2.
    OpenApi2,
    /// The index of OpenAPI v3.
    OpenApi3,
    /// A document of OpenAPI v3 by its name.
    OpenApiDocument(String),
    /// One of the server's health, as a whole or a single check.
    Health {
        whole: bool,
    },
    /// The program's version.
    Version,
    Groups,
    Group,
    Resources,
    Metric {
        namespace: String,
        name: String,
    },
    /// Below the group, and nothing there.
    UnknownResource,
    Unknown,
}

impl Route {
    pub(super) fn of(path: &str) -> Self {
        // A slash at the end is no difference to the router, and one to what stands beside it.
        let routed = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<_> = routed.split('/').skip(1).collect();
        match segments[..] {
            [] => Self::Index,
            ["healthz" | "readyz" | "livez"] if routed == path => Self::Health { whole: true },
            ["healthz" | "readyz" | "livez", "ping"] if routed == path => Self::Health { whole: false },
            ["version"] => Self::Version,
            ["openapi", "v2"] if routed == path => Self::OpenApi2,
            ["openapi", "v3"] if routed == path => Self::OpenApi3,
            ["openapi", "v3", ..] => Self::OpenApiDocument(path["/openapi/v3/".len()..].to_owned()),
            ["apis"] => Self::Groups,
            ["apis", GROUP] => Self::Group,
            ["apis", GROUP, VERSION] => Self::Resources,
            ["apis", GROUP, VERSION, "namespaces", namespace, name] => {
                Self::Metric { namespace: decoded(namespace), name: decoded(name) }
            }
            ["apis", GROUP, ..] => Self::UnknownResource,
            _ => Self::Unknown,
        }
    }
}

/// The ScaledObject that the query's label selector names.
pub(super) fn scaled_object(query: &str) -> Result<String, String> {
    let selector = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "labelSelector");
    let selector = selector.map(|(_, value)| value.into_owned()).unwrap_or_default();
    let mut found = None;
    for part in selector.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let pair = part.split_once("==").or_else(|| part.split_once('=')).filter(|(key, _)| !key.ends_with('!'));
        let Some((key, value)) = pair else {
            return Err(format!("the label selector {selector:?} is not a list of key=value"));
        };
        if key.trim() == SCALED_OBJECT_LABEL {
            found = Some(value.trim().to_owned());
        }
    }
    found.filter(|name| !name.is_empty()).ok_or_else(|| {
        format!("scaledObject name is not specified; add labelSelector={SCALED_OBJECT_LABEL}=<name> to the request")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_aggregated_api() {
        let base = "/apis/external.metrics.k8s.io/v1beta1";
        assert_eq!(Route::of("/apis"), Route::Groups);
        assert_eq!(Route::of("/apis/external.metrics.k8s.io"), Route::Group);
        assert_eq!(Route::of(base), Route::Resources);
        let metric = Route::Metric { namespace: "shop".into(), name: "s0-aws-sqs-a,b".into() };
        assert_eq!(Route::of(&format!("{base}/namespaces/shop/s0-aws-sqs-a%2Cb")), metric);
        // What a path takes as it is, and a form would not: client-go leaves `=`, `&` and `+` alone.
        let metric = Route::Metric { namespace: "shop".into(), name: "s0-metric-api-m{l=\"1\"}+a&b#".into() };
        assert_eq!(Route::of(&format!("{base}/namespaces/shop/s0-metric-api-m%7Bl=%221%22%7D+a&b%23")), metric);
        assert_eq!(Route::of(&format!("{base}/s0-aws-sqs-orders")), Route::UnknownResource);
        assert_eq!(Route::of("/readyz"), Route::Health { whole: true });
        assert_eq!(Route::of("/"), Route::Index);
        assert_eq!(Route::of("/apis/"), Route::Groups);
        assert_eq!(Route::of("/openapi/v3/version"), Route::OpenApiDocument("version".into()));
        for unknown in ["/nope", "/api/v1", "/apis/nope/v1", "/openapi", "/openapi/v2/", "/healthz/"] {
            assert_eq!(Route::of(unknown), Route::Unknown, "{unknown}");
        }
    }

    #[test]
    fn the_selector_must_name_the_scaled_object() {
        let label = "scaledobject.keda.sh%2Fname";
        assert_eq!(scaled_object(&format!("labelSelector={label}%3Dorders")), Ok("orders".into()));
        assert_eq!(scaled_object(&format!("labelSelector=a%3Db%2C{label}%3D%3Dorders")), Ok("orders".into()));
        assert!(scaled_object("").unwrap_err().contains("scaledObject name is not specified"));
        assert!(scaled_object("labelSelector=a%20in%20(b)").is_err());
        assert!(scaled_object(&format!("labelSelector={label}!%3Dorders")).is_err());
    }
}
