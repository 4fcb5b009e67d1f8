//! Paths and selectors of the external metrics API (KEDA.md, D.2 and D.3).

use keda::naming::SCALED_OBJECT_LABEL;

pub(super) const GROUP: &str = "external.metrics.k8s.io";
pub(super) const VERSION: &str = "v1beta1";

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Health,
    Groups,
    Group,
    Resources,
    Metric { namespace: String, name: String },
    Unknown,
}

impl Route {
    pub(super) fn of(path: &str) -> Self {
        let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments[..] {
            ["healthz" | "readyz" | "livez"] => Self::Health,
            ["apis"] => Self::Groups,
            ["apis", GROUP] => Self::Group,
            ["apis", GROUP, VERSION] => Self::Resources,
            ["apis", GROUP, VERSION, "namespaces", namespace, name] => {
                Self::Metric { namespace: decoded(namespace), name: decoded(name) }
            }
            _ => Self::Unknown,
        }
    }
}

/// A segment or a query's value without its percent signs.
fn decoded(text: &str) -> String {
    // A form's decoder does the same but for the plus sign, which stands for itself in a path.
    let pairs = form_urlencoded::parse(text.as_bytes());
    pairs.into_iter().next().map_or_else(String::new, |(key, _)| key.into_owned())
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
        assert_eq!(Route::of(&format!("{base}/s0-aws-sqs-orders")), Route::Unknown);
        assert_eq!(Route::of("/readyz"), Route::Health);
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
