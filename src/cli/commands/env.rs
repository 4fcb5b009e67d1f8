//! `sluice env`: what a shell must export so that stock clients talk to the target.

use serde_json::json;

use crate::diagnostic::Outcome;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target;
use crate::view::View;

pub(crate) fn run(settings: &Settings, view: &View) -> Outcome {
    let variables = target::environment(settings)?;
    if !view.is_human() {
        let map: serde_json::Map<_, _> =
            variables.into_iter().map(|(name, value)| (name.into(), json!(value))).collect();
        view.event("environment", json!({ "variables": map }));
        return Ok(Exit::Done);
    }
    let has_endpoint = variables.iter().any(|(name, value)| *name == "AWS_ENDPOINT_URL" && value.is_some());
    for (name, value) in variables {
        match value {
            Some(value) => View::raw(&format!("export {name}={}", quoted(&value))),
            None => View::raw(&format!("unset {name}")),
        }
    }
    if has_endpoint {
        View::raw(AWS);
    }
    Ok(Exit::Done)
}

/// AWS CLI 1 does not look at AWS_ENDPOINT_URL for SQS (awscli/customizations/overridesslcommonname.py); without this its
/// calls would go to AWS itself.
const AWS: &str = "aws() { command aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; }";

/// The value as one word of a POSIX shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_path_stays_one_word() {
        assert_eq!(quoted("/it's/here"), r"'/it'\''s/here'");
    }
}
