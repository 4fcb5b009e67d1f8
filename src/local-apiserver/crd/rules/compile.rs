//! Rules of a definition before anything is evaluated by them: whether they can be read, and whether what they name is there.

use kube_cel::cel::IdedExpr;
use kube_cel::cel::parser::{ParseErrors, Parser};
use serde_json::Value;

use super::rule::Rule;
use super::types::{self, Type};
use crate::status::FieldError;

mod expression;

const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// Reads a rule.
pub(super) fn rule(given: &Value) -> Result<Rule, String> {
    let text = |field: &str| given[field].as_str().unwrap_or_default().trim().to_owned();
    let source = given["rule"].as_str().unwrap_or_default();
    let expression = parse(source)?;
    let message = given["messageExpression"].as_str().filter(|text| !text.trim().is_empty());
    let shown = if text("message").is_empty() { text("rule") } else { text("message") };
    Ok(Rule {
        about_change: expression::names(&expression, "oldSelf"),
        message_expression: message.map(parse).transpose()?,
        message: if text("message").is_empty() { format!("failed rule: {shown}") } else { shown.clone() },
        shown,
        reason: text("reason"),
        field_path: text("fieldPath").trim_start_matches('.').to_owned(),
        optional_old: given["optionalOldSelf"] == true,
        expression,
    })
}

/// Reads an expression; what is wrong with it as the language's own compiler shows it.
pub(crate) fn parse(source: &str) -> Result<IdedExpr, String> {
    let parser = Parser::new().enable_optional_syntax(true);
    parser.parse(source).map_err(|ParseErrors { errors }| {
        let lines = errors.iter().map(|error| {
            let column = usize::try_from(error.pos.1).unwrap_or(1).saturating_sub(1);
            expression::located(source, column, &format!("Syntax error: {}", error.msg))
        });
        lines.collect::<Vec<_>>().join("\n")
    })
}

/// Mistakes in the rules of a definition's schema.
pub(crate) fn check(schema: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(&types::with_object_meta(schema), path, true, &mut errors);
    errors
}

fn walk(schema: &Value, path: &str, correlatable: bool, errors: &mut Vec<FieldError>) {
    let before = errors.len();
    let rules = schema["x-kubernetes-validations"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, rule) in rules.iter().enumerate() {
        check_parts(schema, rule, &format!("{path}.x-kubernetes-validations[{index}]"), errors);
    }
    if errors.len() == before {
        for (index, rule) in rules.iter().enumerate() {
            check_rule(schema, rule, &format!("{path}.x-kubernetes-validations[{index}]"), correlatable, errors);
        }
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        walk(inner, &format!("{path}.properties[{name}]"), correlatable, errors);
    }
    if schema["additionalProperties"].is_object() {
        walk(&schema["additionalProperties"], &format!("{path}.additionalProperties"), correlatable, errors);
    }
    if schema["items"].is_object() {
        let correlatable = correlatable && schema["x-kubernetes-list-type"] == "map";
        walk(&schema["items"], &format!("{path}.items"), correlatable, errors);
    }
}

/// What a rule consists of, apart from what it means.
fn check_parts(schema: &Value, rule: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let text = |field: &str| rule[field].as_str().unwrap_or_default();
    let (source, message) = (text("rule").trim(), text("message").trim());
    let mut invalid = |field: &str, detail: &str| {
        errors.push(FieldError::invalid(format!("{at}.{field}"), &rule[field], detail));
    };
    if !text("message").is_empty() && message.is_empty() {
        invalid("message", "must be non-empty if specified");
    } else if message.contains('\n') {
        invalid("message", "must not contain line breaks");
    }
    if text("fieldPath").contains('\n') {
        invalid("fieldPath", "must not contain line breaks");
    } else if !text("fieldPath").is_empty() && field_at(schema, text("fieldPath")).is_none() {
        invalid("fieldPath", "must be a valid path");
    }
    let mut required = |field: &str, detail: &str| errors.push(FieldError::required(format!("{at}.{field}"), detail));
    if source.is_empty() {
        required("rule", "rule is not specified");
    } else if source.contains('\n') && message.is_empty() {
        required("message", "message must be specified if rule contains line breaks");
    }
    if !text("messageExpression").is_empty() && text("messageExpression").trim().is_empty() {
        required("messageExpression", "messageExpression must be non-empty if specified");
    }
    if rule["reason"].is_string() && !REASONS.contains(&text("reason")) {
        let supported = REASONS.map(str::to_owned);
        errors.push(FieldError::unsupported(format!("{at}.reason"), &rule["reason"], &supported));
    }
}

/// The schema that a path of fields and of keys in quotes leads to.
pub(crate) fn field_at<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = schema;
    let mut rest = path;
    while !rest.is_empty() {
        let name;
        if let Some(quoted) = rest.strip_prefix("['") {
            (name, rest) = quoted.split_once("']")?;
        } else {
            let after = rest.strip_prefix('.')?;
            let end = after.find(['.', '[']).unwrap_or(after.len());
            (name, rest) = after.split_at(end);
        }
        let property = &at["properties"][name];
        at = if property.is_null() { &at["additionalProperties"] } else { property };
        if !at.is_object() {
            return None;
        }
    }
    Some(at)
}

fn check_rule(schema: &Value, rule: &Value, at: &str, correlatable: bool, errors: &mut Vec<FieldError>) {
    let source = rule["rule"].as_str().unwrap_or_default();
    let mut invalid = |field: &str, detail: &str| {
        errors.push(FieldError::invalid_shown(format!("{at}.{field}"), &go_struct(rule), detail));
    };
    let optional = rule["optionalOldSelf"] == true;
    let about_change = match typed(source, schema, optional) {
        Err(why) => {
            invalid("rule", &format!("compilation failed: {why}"));
            return;
        }
        Ok((expression, Type::Bool | Type::Dyn)) => expression::names(&expression, "oldSelf"),
        Ok(_) => {
            invalid("rule", "cel expression must evaluate to a bool");
            return;
        }
    };
    if let Some(source) = rule["messageExpression"].as_str().filter(|text| !text.is_empty()) {
        match typed(source, schema, optional) {
            Err(why) => invalid("messageExpression", &format!("messageExpression compilation failed: {why}")),
            Ok((_, Type::Text | Type::Dyn)) => {}
            Ok(_) => invalid("messageExpression", "messageExpression must evaluate to a string"),
        }
    }
    if about_change && !correlatable {
        let detail = "oldSelf cannot be used on the uncorrelatable portion of the schema";
        errors.push(FieldError::invalid(format!("{at}.rule"), &source.into(), detail));
    } else if !about_change && rule["optionalOldSelf"].is_boolean() {
        let detail = "may not be set if oldSelf is not used in rule";
        errors.push(FieldError::invalid(format!("{at}.optionalOldSelf"), &rule["optionalOldSelf"], detail));
    }
}

fn typed<'a>(source: &'a str, schema: &'a Value, optional_old: bool) -> Result<(IdedExpr, Type<'a>), String> {
    let expression = parse(source)?;
    let found = expression::type_of(&expression, source, schema, optional_old)?;
    Ok((expression, found))
}

/// A rule as the real server shows its struct, with the characters that Go escapes.
fn go_struct(rule: &Value) -> String {
    let text = |field: &str| Value::from(rule[field].as_str().unwrap_or_default()).to_string();
    let shown = format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{},\"FieldPath\":{},\"OptionalOldSelf\":{}}}",
        text("rule"),
        text("message"),
        text("messageExpression"),
        rule["reason"],
        text("fieldPath"),
        rule["optionalOldSelf"],
    );
    shown.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusals(rule: &Value) -> Vec<String> {
        let inner = json!({"type": "object", "x-kubernetes-validations": [rule], "properties": {
            "a": {"type": "integer"}, "b": {"type": "string"}, "m": {"type": "object", "additionalProperties": {"type": "integer"}},
            "l": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}},
            "any": {"x-kubernetes-preserve-unknown-fields": true}, "in": {"type": "string"},
        }});
        let schema = json!({"type": "object", "properties": {"spec": inner}});
        check(&schema, "s").iter().map(ToString::to_string).collect()
    }

    fn refused(source: &str) -> String {
        refusals(&json!({"rule": source})).join("; ")
    }

    #[test]
    fn what_a_rule_names_must_be_there() {
        assert_eq!(
            refused("self.nothing > 1"),
            "s.properties[spec].x-kubernetes-validations[0].rule: Invalid value: {\"Rule\":\"self.nothing \\u003e 1\",\"Message\":\"\",\
             \"MessageExpression\":\"\",\"Reason\":null,\"FieldPath\":\"\",\"OptionalOldSelf\":null}: compilation failed: \
             ERROR: <input>:1:5: undefined field 'nothing'\n | self.nothing > 1\n | ....^"
        );
        for (source, why) in [
            ("other == 1", "undeclared reference to 'other' (in container '')"),
            ("has(self.nothing)", "undefined field 'nothing'"),
            ("self.l.all(e, e.y > 0)", "undefined field 'y'"),
            ("self.l.exists(e, e.x > 0 && self.z)", "undefined field 'z'"),
            ("self.a > self.b", "found no matching overload for '_>_' applied to '(int, string)'"),
            ("self.a + self.b == 1", "found no matching overload for '_+_' applied to '(int, string)'"),
            ("self.a == 'x'", "found no matching overload for '_==_' applied to '(int, string)'"),
            ("self.b.shout() == 'X'", "undeclared reference to 'shout' (in container '')"),
            ("self.a", "cel expression must evaluate to a bool"),
            ("self.a >", "Syntax error"),
            ("self.a.b == 1", "type 'int' does not support field selection"),
        ] {
            let found = refused(source);
            assert!(found.contains(why), "{source}: {found}");
        }
    }

    #[test]
    fn right_rules_pass() {
        for source in [
            "self.a > 1",
            "self.a > 1.5",
            "self.m['k'] == 1 && self.m.k > 0 && 'k' in self.m",
            "self.m.all(k, self.m[k] > 0 && k.startsWith('a'))",
            "self.l.all(e, e.x > 0) && self.l.filter(e, e.x > 1).size() < 3",
            "self.l.map(e, e.x).sum() > 3 && size(self.l) > 0",
            "self.any.whatever.deep == 1",
            "self.__in__ != ''",
            "has(self.a) ? self.a > 1 : true",
            "self.l.exists_one(e, e.x == 1)",
            "self.a == oldSelf.a || self.b in ['x', 'y']",
            "self.b.matches('^a') && isURL(self.b) && url(self.b).getScheme() == 'https'",
            "math.abs(self.a) > 1 && sets.contains([1], [self.a])",
            "self.?a.orValue(1) > 0",
            "type(self.a) == int || dyn(self.a) == 'x'",
        ] {
            assert_eq!(refused(source), "", "{source}");
        }
    }

    #[test]
    fn the_parts_of_a_rule_are_checked() {
        for (rule, why) in [
            (json!({"rule": " "}), "rule: Required value: rule is not specified"),
            (json!({"rule": "true", "message": " "}), "message: Invalid value: \" \": must be non-empty if specified"),
            (json!({"rule": "true", "reason": "Odd"}), "reason: Unsupported value: \"Odd\""),
            (
                json!({"rule": "true", "fieldPath": ".nothing"}),
                "fieldPath: Invalid value: \".nothing\": must be a valid path",
            ),
            (json!({"rule": "true", "messageExpression": "1"}), "messageExpression must evaluate to a string"),
            (json!({"rule": "true", "optionalOldSelf": true}), "may not be set if oldSelf is not used in rule"),
        ] {
            let found = refusals(&rule).join("; ");
            assert!(found.contains(why), "{rule}: {found}");
        }
        let schema = json!({"type": "object", "properties": {"l": {"type": "array", "items": {
            "type": "integer", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}}});
        assert!(check(&schema, "s")[0].to_string().contains("uncorrelatable"));
    }
}
