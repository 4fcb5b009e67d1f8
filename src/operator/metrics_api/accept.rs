//! The `Accept` header, read in the two steps of an API server made with the Kubernetes libraries: the router looks at media
//! types only, the negotiation at their parameters as well (k8s.io/apiserver, `pkg/endpoints/handlers/negotiation`).

use std::collections::BTreeMap;

use super::page::Page;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Yaml,
}

impl Form {
    pub(super) fn media(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
        }
    }
}

/// The forms of what has a kind.
const FORMS: [Form; 2] = [Form::Json, Form::Yaml];

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) form: Form,
    /// The version of aggregated discovery (`v2`, `v2beta1`) if that is asked for.
    pub(super) aggregated: Option<&'static str>,
}

/// One media type that a client takes.
#[derive(Debug)]
pub(super) struct Clause {
    /// `type/subtype`.
    pub(super) media: String,
    quality: f32,
    parameters: BTreeMap<String, String>,
}

/// The clauses of a header, best first.
pub(super) fn clauses(header: &str) -> Vec<Clause> {
    let mut clauses: Vec<Clause> = header.split(',').map(clause).filter(|one| one.media.contains('/')).collect();
    clauses.sort_by(|one, other| other.quality.total_cmp(&one.quality));
    clauses
}

fn clause(text: &str) -> Clause {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_owned();
    let pairs = parts.filter_map(|part| part.split_once('='));
    let mut parameters: BTreeMap<String, String> =
        pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().trim_matches('"').to_owned())).collect();
    let quality = parameters.remove("q").and_then(|quality| quality.parse().ok()).unwrap_or(1.0);
    Clause { media, quality, parameters }
}

impl Clause {
    /// Whether it takes `type/subtype`, wildcards included.
    pub(super) fn takes(&self, media: &str) -> bool {
        let own = self.media.split_once('/').unwrap_or_default();
        let other = media.split_once('/').unwrap_or_default();
        (own.0 == "*" || own.0 == other.0) && (own.1 == "*" || own.1 == other.1)
    }

    /// The version of aggregated discovery that is asked for; an error for any other transformation.
    fn aggregated(&self, offered: bool) -> Result<Option<&'static str>, ()> {
        let value = |key: &str| self.parameters.get(key).map(String::as_str);
        match (value("as"), value("g"), value("v")) {
            (None, None, None) => Ok(None),
            (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some(version)) if offered => {
                ["v2", "v2beta1"].into_iter().find(|known| *known == version).map(Some).ok_or(())
            }
            _ => Err(()),
        }
    }
}

/// Passes if a header takes one of the forms, as far as media types go; else the router's refusal.
pub(super) fn route(header: &str, forms: &[Form]) -> Result<(), Page> {
    let takes = |text: &str| {
        let media = text.split(';').next().unwrap_or_default().trim();
        media == "*/*" || forms.iter().any(|form| form.media() == media)
    };
    if header.is_empty() || header.split(',').any(takes) {
        return Ok(());
    }
    let message = format!("406: Not Acceptable\n\nAvailable representations: {}", offer(forms));
    Err(Page::status(406, "NotAcceptable", &message))
}

fn offer(forms: &[Form]) -> String {
    forms.iter().map(|form| form.media()).collect::<Vec<_>>().join(", ")
}

/// What the header and this server agree on, or the refusal; `aggregated` where that form of discovery is offered.
pub(super) fn negotiate(header: &str, aggregated: bool) -> Result<Agreed, Page> {
    route(header, &FORMS)?;
    if header.is_empty() {
        return Ok(Agreed { form: Form::Json, aggregated: None });
    }
    for clause in clauses(header) {
        let form = FORMS.into_iter().find(|form| clause.takes(form.media()));
        if let (Some(form), Ok(aggregated)) = (form, clause.aggregated(aggregated)) {
            return Ok(Agreed { form, aggregated });
        }
    }
    let message = format!("only the following media types are accepted: {}", offer(&FORMS));
    Err(Page::status(406, "NotAcceptable", &message).without_details())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_clause_that_can_be_answered_decides() {
        let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let beta = "application/json; g=apidiscovery.k8s.io; v=v2beta1; as=APIGroupDiscoveryList";
        let said = |header: &str, offered| {
            negotiate(header, offered).map(|agreed| (agreed.form, agreed.aggregated)).map_err(|page| page.code())
        };
        assert_eq!(said("", true), Ok((Form::Json, None)));
        assert_eq!(said(&format!("{v2},{beta}"), true), Ok((Form::Json, Some("v2"))));
        assert_eq!(said(&format!("{beta},{v2}"), true), Ok((Form::Json, Some("v2beta1"))));
        assert_eq!(said(&format!("{v2};q=0.2,{beta};q=0.9"), true), Ok((Form::Json, Some("v2beta1"))));
        assert_eq!(said(&format!("{v2};profile=nopeer"), true), Ok((Form::Json, Some("v2"))));
        assert_eq!(said(&format!("{v2},application/json"), false), Ok((Form::Json, None)));
        assert_eq!(said(v2, false), Err(406));
        assert_eq!(said(&v2.replace("v=v2", "v=v3"), true), Err(406));
        assert_eq!(said("application/xml,application/yaml;q=0.5", true), Ok((Form::Yaml, None)));
        assert_eq!(said("text/html", true), Err(406));
    }
}
