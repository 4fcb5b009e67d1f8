//! The parameters of a call.

use std::collections::HashMap;

use form_urlencoded::Serializer;

/// Names and values, in the order in which they are sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// A list: `name.1`, `name.2`, ….
    pub(crate) fn listed(self, name: &str, values: &[String]) -> Self {
        (1..).zip(values).fold(self, |form, (number, value)| form.with(&format!("{name}.{number}"), value))
    }

    /// Tags, as a list of that name; by key, so that equal requests have equal bodies.
    pub(crate) fn tags(self, name: &str, tags: &HashMap<String, String>) -> Self {
        let mut tags: Vec<_> = tags.iter().collect();
        tags.sort();
        (1..).zip(tags).fold(self, |form, (number, (key, value))| {
            form.with(&format!("{name}.{number}.Key"), key).with(&format!("{name}.{number}.Value"), value)
        })
    }

    pub(super) fn encoded(&self, action: &str, version: &str) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", version);
        form.extend_pairs(&self.0);
        form.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_numbered_from_one() {
        let tags = HashMap::from([("b".to_owned(), "2 3".to_owned()), ("a".to_owned(), "1".to_owned())]);
        let form = Form::default().with("VpcId", "vpc-1").listed("Value", &["x".to_owned()]).tags("Tag", &tags);
        assert_eq!(
            form.encoded("A", "v"),
            "Action=A&Version=v&VpcId=vpc-1&Value.1=x&Tag.1.Key=a&Tag.1.Value=1&Tag.2.Key=b&Tag.2.Value=2+3"
        );
    }
}
