//! Names: DNS labels and subdomains, and what is said about wrong ones.

use std::sync::LazyLock;

use regex::Regex;

#[expect(clippy::expect_used, reason = "the pattern is a constant that a test covers")]
static SUBDOMAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$").expect("constant pattern")
});

const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// A name that is too long or does not fit the rule; both are said.
fn wrong(name: &str, most: usize, fits: bool, rule: &str) -> Vec<String> {
    let long = (name.len() > most).then(|| format!("must be no more than {most} characters"));
    long.into_iter().chain((!fits).then(|| rule.to_owned())).collect()
}

/// What is wrong with a segment of a path, which is all that some names must be.
pub(crate) fn segment(name: &str) -> Vec<String> {
    match name {
        "." | ".." => vec![format!("may not be '{name}'")],
        _ => ['/', '%'].into_iter().filter(|c| name.contains(*c)).map(|c| format!("may not contain '{c}'")).collect(),
    }
}

/// What is wrong with a DNS-1123 subdomain.
pub(crate) fn subdomain(name: &str) -> Vec<String> {
    wrong(name, 253, SUBDOMAIN.is_match(name), SUBDOMAIN_RULE)
}

/// What is wrong with a DNS-1123 label.
pub(crate) fn label(name: &str) -> Vec<String> {
    let in_parts = SUBDOMAIN.is_match(name);
    let rule = if in_parts { "must not contain dots" } else { LABEL_RULE };
    wrong(name, 63, in_parts && !name.contains('.'), rule)
}

/// A prefix that names are generated from, as a whole name: a dash at its end does no harm.
pub(crate) fn unmasked(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            format!("{}a", &rest[..rest.len() - rest.chars().next_back().map_or(0, char::len_utf8)])
        }
        _ => prefix.to_owned(),
    }
}

const SERVICE_RULE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const NAME_PART_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY_RULE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// What is wrong with a DNS-1035 label, such as a Service's name: it begins with a letter.
pub(crate) fn service(name: &str) -> Vec<String> {
    let fits = SUBDOMAIN.is_match(name) && !name.contains('.') && name.starts_with(|c: char| c.is_ascii_lowercase());
    wrong(name, 63, fits, SERVICE_RULE)
}

fn is_name_part(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// What is wrong with a label's key: an optional subdomain, a slash, a name.
pub(crate) fn qualified(key: &str) -> Vec<String> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if name.contains('/') {
        let rule = NAME_PART_RULE.replacen("name part", "a valid label key", 1);
        return vec![format!("{rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")];
    }
    let mut wrong = Vec::new();
    match prefix {
        Some("") => wrong.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => wrong.extend(
            subdomain(prefix).into_iter().map(|why| format!("prefix part {}", why.replace("characters", "bytes"))),
        ),
        None => {}
    }
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        wrong.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_name_part(name) {
        wrong.push(NAME_PART_RULE.to_owned());
    }
    wrong
}

/// What is wrong with a label's value.
pub(crate) fn label_value(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if value.len() > 63 {
        wrong.push("must be no more than 63 bytes".to_owned());
    }
    if !value.is_empty() && !is_name_part(value) {
        wrong.push(LABEL_VALUE_RULE.to_owned());
    }
    wrong
}

/// What is wrong with a key of a ConfigMap or Secret.
pub(crate) fn config_key(key: &str) -> Vec<String> {
    let fits = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let mut wrong = wrong(key, 253, fits, CONFIG_KEY_RULE);
    match key {
        "." | ".." => wrong.push(format!("must not be '{key}'")),
        _ if key.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
        _ => {}
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_names() {
        let none: Vec<String> = Vec::new();
        assert_eq!(
            [
                subdomain("a.b-c"),
                label("a-1"),
                qualified("a.b/C_d"),
                label_value(""),
                config_key("a.B_c"),
                service("a1")
            ],
            [none.clone(), none.clone(), none.clone(), none.clone(), none.clone(), none]
        );
        assert_eq!((qualified("a b").len(), qualified("A/b").len(), qualified("").len()), (1, 1, 2));
        let refused = [label_value("-"), config_key("a b"), service("1a"), subdomain("A"), label("a.b"), label("-a")];
        assert!(refused.iter().all(|wrong| wrong.len() == 1), "{refused:?}");
    }

    #[test]
    fn long_names_are_refused_beside_invalid_ones() {
        assert_eq!(label(&"a".repeat(64)), ["must be no more than 63 characters"]);
        assert_eq!(label_value(&"a".repeat(64)), ["must be no more than 63 bytes"]);
        assert_eq!(qualified(&format!("{}/a", "a".repeat(254))), ["prefix part must be no more than 253 bytes"]);
        assert_eq!(subdomain(&"A".repeat(254)).len(), 2);
        assert_eq!(
            (label("a.b"), config_key("..")),
            (vec!["must not contain dots".to_owned()], vec!["must not be '..'".to_owned()])
        );
        assert_eq!(
            (unmasked("ab-"), unmasked("-"), unmasked("ab")),
            ("aa".to_owned(), "-".to_owned(), "ab".to_owned())
        );
    }
}
