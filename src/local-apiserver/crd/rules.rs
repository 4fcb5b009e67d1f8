//! `x-kubernetes-validations`: rules in CEL, evaluated where the real server evaluates them.
//!
//! A rule is about the value at its place in the schema. Rules about a change see the older value, where it is known which
//! one that is; what did not change is not evaluated anew (ratcheting). Sources: "Custom Resource Definitions" of the Kubernetes
//! documentation, and `apiserver/schema/cel` of apiextensions-apiserver. The costs of rules are not counted here.

mod compile;
mod rule;
mod types;
mod value;

use std::collections::BTreeMap;

use kube_cel::KubeCelExt;
use kube_cel::cel::objects::OptionalValue;
use kube_cel::cel::{Context, ExecutionError, Value as CelValue};
use serde_json::Value;

pub(crate) use self::compile::{check, field_at, parse};
use self::rule::Rule;
use super::ratchet;
use crate::status::FieldError;

/// Bytes that the text of a `messageExpression` may have.
const MESSAGE_BYTES_MAX: usize = 5 * 1024;

/// The rules at a place in a schema, and those below it.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    schema: Value,
    own: Vec<Rule>,
    properties: BTreeMap<String, Rules>,
    additional: Option<Box<Rules>>,
    items: Option<Box<Rules>>,
    all_of: Vec<Rules>,
}

/// Errors, and those that a value had before and may keep, as warnings.
#[derive(Debug, Default)]
pub(crate) struct Evaluation {
    pub(crate) errors: Vec<FieldError>,
    pub(crate) kept: Vec<FieldError>,
}

/// A value beside what it was.
#[derive(Clone, Copy)]
struct Pair<'a> {
    new: &'a Value,
    /// The older value of the same field, if it is known.
    old: Option<&'a Value>,
    /// It, or the nearest known field above it, did not change.
    unchanged: bool,
}

impl<'a> Pair<'a> {
    fn below(self, new: &'a Value, old: Option<&'a Value>) -> Self {
        let old = old.filter(|old| !old.is_null());
        Self { new, old, unchanged: old.map_or(self.unchanged, |old| old == new) }
    }
}

impl Rules {
    /// The rules of a definition's schema; none if it has none. Those that are none are left out: they were refused, or
    /// are older than this check.
    pub(crate) fn of(schema: &Value) -> Option<Self> {
        let rules = Self::read(schema, true);
        (!rules.is_idle()).then_some(rules)
    }

    fn read(schema: &Value, root: bool) -> Self {
        let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
        let inner = |schema: &Value| {
            let rules = schema.is_object().then(|| Self::read(schema, false));
            rules.filter(|rules| !rules.is_idle())
        };
        let properties = schema["properties"].as_object().into_iter().flatten();
        let embedded = root || schema["x-kubernetes-embedded-resource"] == true;
        Self {
            own: rules.filter_map(|rule| compile::rule(rule).ok()).collect(),
            properties: properties.filter_map(|(name, schema)| Some((name.clone(), inner(schema)?))).collect(),
            additional: inner(&schema["additionalProperties"]).map(Box::new),
            items: inner(&schema["items"]).map(Box::new),
            all_of: schema["allOf"].as_array().into_iter().flatten().filter_map(inner).collect(),
            schema: if embedded { types::with_object_meta(schema) } else { schema.clone() },
        }
    }

    fn is_idle(&self) -> bool {
        self.own.is_empty()
            && self.properties.is_empty()
            && self.additional.is_none()
            && self.items.is_none()
            && self.all_of.is_empty()
    }

    /// Judges an object beside its older state.
    pub(crate) fn evaluate(&self, new: &Value, old: Option<&Value>) -> Evaluation {
        let mut evaluation = Evaluation::default();
        let base = Context::default().with_all();
        self.walk(Pair { new, old, unchanged: false }, "", &base, &mut evaluation);
        evaluation
    }

    fn walk(&self, pair: Pair<'_>, path: &str, base: &Context<'_>, evaluation: &mut Evaluation) {
        if pair.new.is_null() {
            return;
        }
        if !self.own.is_empty() {
            self.evaluate_own(pair, path, base, evaluation);
        }
        for alternative in &self.all_of {
            alternative.walk(pair, path, base, evaluation);
        }
        if let Value::Object(map) = pair.new {
            for (name, value) in map {
                let old = pair.old.and_then(|old| old.get(name));
                if let Some(rules) = self.properties.get(name) {
                    rules.walk(pair.below(value, old), &child(path, name), base, evaluation);
                } else if let Some(rules) =
                    self.additional.as_ref().filter(|_| self.schema["properties"][name].is_null())
                {
                    rules.walk(pair.below(value, old), &format!("{path}[{name}]"), base, evaluation);
                }
            }
        }
        if let (Value::Array(items), Some(rules)) = (pair.new, &self.items) {
            for (index, item) in items.iter().enumerate() {
                rules.walk(
                    pair.below(item, pair.old.and_then(|old| ratchet::older(&self.schema, old, item))),
                    &format!("{path}[{index}]"),
                    base,
                    evaluation,
                );
            }
        }
    }

    fn evaluate_own(&self, pair: Pair<'_>, path: &str, base: &Context<'_>, evaluation: &mut Evaluation) {
        let bound = |value: &Value| value::convert(value, &self.schema, base);
        let mut scope = base.new_inner_scope();
        scope.add_variable_from_value("self", bound(pair.new));
        let mut optional = scope.new_inner_scope();
        let mut plain = scope.new_inner_scope();
        let old = pair.old.map(bound);
        if let Some(old) = &old {
            plain.add_variable_from_value("oldSelf", old.clone());
        }
        let maybe = old.map_or_else(OptionalValue::none, OptionalValue::of);
        optional.add_variable_from_value("oldSelf", CelValue::Opaque(std::sync::Arc::new(maybe)));
        for rule in &self.own {
            if rule.about_change && pair.old.is_none() && !rule.optional_old {
                continue;
            }
            let scope = if rule.optional_old { &optional } else { &plain };
            let Some(error) = self.refusal(rule, pair.new, path, scope) else { continue };
            if pair.unchanged && !rule.about_change {
                evaluation.kept.push(error);
            } else {
                evaluation.errors.push(error);
            }
        }
    }

    fn refusal(&self, rule: &Rule, value: &Value, path: &str, scope: &Context<'_>) -> Option<FieldError> {
        let at = if path.is_empty() { "<nil>" } else { path };
        let kind = self.schema["type"].as_str().unwrap_or_default();
        let failed = |detail: &str| Some(FieldError::invalid(at, &kind.into(), detail));
        match scope.resolve(&rule.expression) {
            Ok(CelValue::Bool(true)) => None,
            Ok(CelValue::Bool(false)) => Some(self.broken(rule, value, path, scope)),
            Ok(_) => failed(&format!("rule does not evaluate to a bool: {}", rule.shown)),
            Err(error @ (ExecutionError::NoSuchOverload | ExecutionError::UnsupportedBinaryOperator(..))) => {
                let why = words(&error);
                failed(&format!(
                    "'{why}': call arguments did not match a supported operator, function or macro signature for rule: {}",
                    rule.shown
                ))
            }
            Err(error) => failed(&format!("{} evaluating rule: {}", words(&error), rule.shown)),
        }
    }

    fn broken(&self, rule: &Rule, value: &Value, path: &str, scope: &Context<'_>) -> FieldError {
        let said = rule.message_expression.as_ref().and_then(|expression| match scope.resolve(expression) {
            Ok(CelValue::String(text)) => Some(text.trim().to_owned()),
            _ => None,
        });
        let fits = |text: &String| !text.is_empty() && text.len() <= MESSAGE_BYTES_MAX && !text.contains('\n');
        let detail = said.filter(fits).unwrap_or_else(|| rule.message.clone());
        let at = if rule.field_path.is_empty() { path.to_owned() } else { child(path, &rule.field_path) };
        let at = if at.is_empty() { "<nil>".to_owned() } else { at };
        let scalar = !matches!(self.schema["type"].as_str(), Some("object" | "array"));
        match rule.reason.as_str() {
            "FieldValueForbidden" => FieldError::forbidden(at, &detail),
            "FieldValueRequired" => FieldError::required(at, &detail),
            "FieldValueDuplicate" if scalar => FieldError::duplicate(at, value),
            "FieldValueDuplicate" => FieldError::duplicate_omitted(at),
            _ if scalar => FieldError::invalid(at, value, &detail),
            _ => FieldError::invalid_omitted(at, &detail),
        }
    }
}

fn child(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A failure in the words of the real server's CEL.
fn words(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload | ExecutionError::UnsupportedBinaryOperator(..) => "no such overload".to_owned(),
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::IndexOutOfBounds(CelValue::Int(index)) => format!("index out of bounds: {index}"),
        ExecutionError::FunctionError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(schema: &Value, new: &Value, old: Option<&Value>) -> Vec<String> {
        let evaluation = Rules::of(schema).unwrap().evaluate(new, old);
        evaluation.errors.iter().map(ToString::to_string).collect()
    }

    fn spec(rules: &Value) -> Value {
        let int = json!({"type": "integer"});
        json!({"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-validations": rules, "properties": {
            "min": int, "max": int, "my-name": {"type": "string"}, "at": {"type": "string", "format": "date-time"},
            "ratio": {"type": "number"}, "list": {"type": "array", "items": {"type": "string"}},
        }}}})
    }

    #[test]
    fn a_rule_that_does_not_hold_is_said_as_the_definition_says_it() {
        let object = json!({"spec": {"min": 6, "max": 5}});
        let said = |rule: Value| lines(&spec(&json!([rule])), &object, None);
        assert_eq!(
            said(json!({"rule": "self.min <= self.max"})),
            ["spec: Invalid value: failed rule: self.min <= self.max"]
        );
        let rendered = json!({"rule": "self.min <= self.max", "message": "min is over max", "fieldPath": ".min", "reason": "FieldValueForbidden"});
        assert_eq!(said(rendered), ["spec.min: Forbidden: min is over max"]);
        let computed =
            json!({"rule": "self.min <= self.max", "messageExpression": "'min ' + string(self.min) + ' is too much'"});
        assert_eq!(said(computed), ["spec: Invalid value: min 6 is too much"]);
        assert_eq!(said(json!({"rule": "self.min > 0"})), [""; 0]);
        assert_eq!(
            said(json!({"rule": "self.list.size() > 0"})),
            ["spec: Invalid value: \"object\": no such key: list evaluating rule: self.list.size() > 0"]
        );
    }

    #[test]
    fn values_have_the_types_of_their_schema() {
        let object = json!({"spec": {
            "my-name": "abc", "at": "2026-01-01T00:00:00Z", "ratio": 1, "list": ["a", "bb"], "min": 1,
        }});
        for rule in [
            "self.my__dash__name == 'abc'",
            "self.at < timestamp('2026-01-02T00:00:00Z')",
            "self.ratio < 1.5",
            "self.list.all(x, x.size() < 3) && self.list.exists(x, x.startsWith('b'))",
            "has(self.min) && !has(self.max)",
            "!has(self.max) || self.max > self.min",
            "self.list.filter(x, x != 'a').map(x, x + 'c') == ['bbc']",
            "quantity('1Gi').isGreaterThan(quantity('500Mi'))",
            "self.my__dash__name.matches('^[a-z]+$')",
        ] {
            assert_eq!(lines(&spec(&json!([{"rule": rule}])), &object, None), [""; 0], "{rule}");
        }
    }

    #[test]
    fn rules_about_a_change_need_an_older_value() {
        let schema = json!({"type": "object", "properties": {
            "fixed": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]},
            "grows": {"type": "integer", "x-kubernetes-validations": [
                {"rule": "!oldSelf.hasValue() || self >= oldSelf.value()", "optionalOldSelf": true}]},
            "keyed": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": {
                "type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}},
                "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v"}]}},
        }});
        let old = json!({"fixed": "a", "grows": 2, "keyed": [{"k": "x", "v": 1}, {"k": "y", "v": 5}]});
        assert_eq!(lines(&schema, &old, None), [""; 0]);
        assert_eq!(lines(&schema, &old, Some(&old)), [""; 0]);
        let new = json!({"fixed": "b", "grows": 1, "keyed": [{"k": "y", "v": 4}, {"k": "z", "v": 0}]});
        assert_eq!(
            lines(&schema, &new, Some(&old)),
            [
                "fixed: Invalid value: \"b\": failed rule: self == oldSelf",
                "grows: Invalid value: 1: failed rule: !oldSelf.hasValue() || self >= oldSelf.value()",
                "keyed[0]: Invalid value: failed rule: self.v >= oldSelf.v",
            ]
        );
    }

    #[test]
    fn what_did_not_change_may_stay_as_it_is() {
        let schema = spec(&json!([{"rule": "self.min <= self.max"}]));
        let old = json!({"metadata": {"labels": {}}, "spec": {"min": 6, "max": 5}});
        let mut new = old.clone();
        new["metadata"]["labels"]["a"] = "b".into();
        assert_eq!(lines(&schema, &new, Some(&old)), [""; 0]);
        assert_eq!(Rules::of(&schema).unwrap().evaluate(&new, Some(&old)).kept.len(), 1);
        new["spec"]["min"] = 7.into();
        assert_eq!(lines(&schema, &new, Some(&old)).len(), 1);
    }

    #[test]
    fn the_whole_object_shows_its_name_to_rules() {
        let schema = json!({"type": "object", "x-kubernetes-validations": [{"rule": "self.metadata.name == 'one'"}]});
        assert_eq!(lines(&schema, &json!({"metadata": {"name": "one"}}), None), [""; 0]);
        assert_eq!(
            lines(&schema, &json!({"metadata": {"name": "two"}}), None),
            ["<nil>: Invalid value: failed rule: self.metadata.name == 'one'"]
        );
    }
}
