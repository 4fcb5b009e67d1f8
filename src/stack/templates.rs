//! The embedded templates and the engine that renders them.

use std::sync::LazyLock;

use serde_json::Value;
use tera::{Context, Kwargs, State, Tera};

/// A template could not be rendered: a mistake of this program, not of its user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
pub enum Error {
    /// The template or its data do not fit together.
    #[error("failed to render the embedded template {name:?}: {cause}; this is a bug of Sluice, please report it")]
    Render {
        /// Template.
        name: String,
        /// What the engine says.
        cause: String,
    },
    /// The rendered text is no JSON or YAML.
    #[error("the embedded template {name:?} gave unreadable text: {cause}; this is a bug of Sluice, please report it")]
    Parse {
        /// Template.
        name: String,
        /// What the parser says.
        cause: String,
    },
}

/// Result of rendering.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../templates/", $name)))),*]
    };
}

const EMBEDDED: [(&str, &str); 16] = embedded![
    "chart/Chart.yaml",
    "chart/values.yaml",
    "iam/cluster-trust.json",
    "iam/fargate-trust.json",
    "iam/operator-policy.json",
    "iam/scaler-policy.json",
    "iam/scaler-trust.json",
    "iam/web-identity-trust.json",
    "iam/workload-policy.json",
    "kubernetes/metrics.yaml",
    "kubernetes/namespaces.yaml",
    "kubernetes/operator-rbac.yaml",
    "kubernetes/operator.yaml",
    "kubernetes/scaling.yaml",
    "kubernetes/workload.yaml",
    "report.html",
];

/// Files that are taken as they are.
const AS_THEY_ARE: [(&str, &str); 8] = embedded![
    "../docs/admission-webhooks.yaml",
    "chart/NOTES.txt",
    "chart/_helpers.tpl",
    "chart/default-roles.yaml",
    "chart/extra-objects.yaml",
    "chart/monitoring.yaml",
    "chart/overlay.yaml",
    "chart/watch-namespace.yaml",
];

static TERA: LazyLock<Result<Tera>> = LazyLock::new(|| {
    let mut tera = Tera::new();
    // JSON text is also YAML text, so values are put into both kinds of template safely.
    tera.register_filter("json", |value: &tera::Value, _: Kwargs, _: &State| {
        serde_json::to_string(value).map_err(tera::Error::message)
    });
    tera.add_raw_templates(EMBEDDED)
        .map_err(|error| Error::Render { name: "all".to_owned(), cause: error.to_string() })?;
    Ok(tera)
});

/// Renders the embedded template `name` (its path below `templates/`) with the keys of the object `data`.
/// Names that end in `.html` are escaped automatically; in the others, `| json` writes a value as JSON.
///
/// # Errors
///
/// [`Error::Render`] if there is no such template, or one does not fit `data`.
pub fn render(name: &str, data: &Value) -> Result<String> {
    let failed = |error: tera::Error| Error::Render { name: name.to_owned(), cause: error.to_string() };
    let tera = TERA.as_ref().map_err(Clone::clone)?;
    let context = Context::from_serialize(data).map_err(failed)?;
    tera.render(name, &context).map_err(failed)
}

/// The text of an embedded file that is no template of ours.
pub(crate) fn embedded(name: &str) -> Result<&'static str> {
    let found = AS_THEY_ARE.iter().find(|(one, _)| *one == name);
    found
        .map(|(_, text)| *text)
        .ok_or_else(|| Error::Render { name: name.to_owned(), cause: "it is not there".to_owned() })
}

/// Renders a JSON document.
pub(crate) fn render_json(name: &str, data: &Value) -> Result<Value> {
    let unreadable = |error: serde_json::Error| Error::Parse { name: name.to_owned(), cause: error.to_string() };
    serde_json::from_str(&render(name, data)?).map_err(unreadable)
}

/// Renders YAML documents.
pub(crate) fn render_yaml(name: &str, data: &Value) -> Result<Vec<Value>> {
    parse_yaml(name, &render(name, data)?)
}

/// Reads YAML documents of an embedded file.
pub(crate) fn parse_yaml(name: &str, text: &str) -> Result<Vec<Value>> {
    let unreadable =
        |error: serde_saphyr::Error| Error::Parse { name: name.to_owned(), cause: error.without_snippet().to_string() };
    serde_saphyr::from_multiple(text).map_err(unreadable)
}
