//! How objects of a definition come from one version into another: by their `apiVersion` alone. A conversion webhook is
//! never called, so a definition that would need one is refused: its objects would be served unconverted.

use serde_json::Value;

use crate::status::FieldError;

/// Mistakes in `spec.conversion`, in the words of the real server; and a conversion that would be needed.
pub(super) fn check(spec: &Value, errors: &mut Vec<FieldError>) {
    let conversion = &spec["conversion"];
    let (client, versions) =
        (&conversion["webhook"]["clientConfig"], &conversion["webhook"]["conversionReviewVersions"]);
    let (client_at, versions_at) = ("spec.conversion.webhookClientConfig", "spec.conversion.conversionReviewVersions");
    let strategy = conversion["strategy"].as_str().unwrap_or("None");
    if strategy != "Webhook" {
        if strategy != "None" {
            let known = ["None".to_owned(), "Webhook".to_owned()];
            errors.push(FieldError::unsupported("spec.conversion.strategy", &strategy.into(), &known));
        }
        let unused = [(client_at, client), (versions_at, versions)];
        errors.extend(
            unused
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(at, _)| FieldError::forbidden(*at, "should not be set when strategy is not set to Webhook")),
        );
        return;
    }
    let named = [&client["url"], &client["service"]].iter().filter(|way| !way.is_null()).count();
    if client.is_null() {
        errors.push(FieldError::required(client_at, "required when strategy is set to Webhook"));
    } else if named != 1 {
        errors.push(FieldError::required(client_at, "exactly one of url or service is required"));
    }
    let reviews: Vec<&str> = versions.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    // Without a client that is all that is said of the webhook, if it is there at all.
    if reviews.is_empty() && (!client.is_null() || conversion["webhook"].is_null()) {
        errors.push(FieldError::required(versions_at, ""));
    } else if !reviews.is_empty() && !reviews.iter().any(|version| matches!(*version, "v1" | "v1beta1")) {
        errors.push(FieldError::invalid(versions_at, versions, "must include at least one of v1, v1beta1"));
    }
    let served = spec["versions"].as_array().into_iter().flatten().filter(|version| version["served"] == true).count();
    if served > 1 {
        let why = "the local API server calls no conversion webhooks; serve one version alone, or set strategy to None where \
                   the versions differ by name only";
        errors.push(FieldError::forbidden("spec.conversion.strategy", why));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(conversion: &Value, served: usize) -> Vec<String> {
        let versions: Vec<Value> =
            (0..served).map(|number| json!({"name": format!("v{number}"), "served": true})).collect();
        let mut errors = Vec::new();
        check(&json!({"conversion": conversion, "versions": versions}), &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_conversion_with_a_mistake_is_refused_in_the_words_of_the_real_server() {
        let url = json!({"url": "https://127.0.0.1:1/c"});
        let (client, versions) = ("spec.conversion.webhookClientConfig", "spec.conversion.conversionReviewVersions");
        for (conversion, words) in [
            (json!(null), vec![]),
            (json!({"strategy": "None"}), vec![]),
            (
                json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": url}}),
                vec![],
            ),
            (
                json!({"strategy": "Webhook"}),
                vec![
                    format!("{client}: Required value: required when strategy is set to Webhook"),
                    format!("{versions}: Required value"),
                ],
            ),
            (
                json!({"strategy": "Foo"}),
                vec![
                    "spec.conversion.strategy: Unsupported value: \"Foo\": supported values: \"None\", \"Webhook\""
                        .to_owned(),
                ],
            ),
            (
                json!({"strategy": "Webhook", "webhook": {"clientConfig": url}}),
                vec![format!("{versions}: Required value")],
            ),
            (
                json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v9"], "clientConfig": url}}),
                vec![format!("{versions}: Invalid value: [\"v9\"]: must include at least one of v1, v1beta1")],
            ),
            (
                json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {}}}),
                vec![format!("{client}: Required value: exactly one of url or service is required")],
            ),
            (
                json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"]}}),
                vec![format!("{client}: Required value: required when strategy is set to Webhook")],
            ),
            (
                json!({"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": url}}),
                [client, versions]
                    .map(|at| format!("{at}: Forbidden: should not be set when strategy is not set to Webhook"))
                    .into(),
            ),
        ] {
            assert_eq!(found(&conversion, 1), words, "{conversion}");
        }
    }

    #[test]
    fn a_definition_whose_objects_would_have_to_be_converted_is_refused() {
        let webhook = json!({"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/c"}});
        let why = found(&json!({"strategy": "Webhook", "webhook": webhook}), 2);
        assert!(why.len() == 1 && why[0].contains("calls no conversion webhooks"), "{why:?}");
        assert_eq!(found(&json!({"strategy": "None"}), 2), Vec::<String>::new());
    }
}
