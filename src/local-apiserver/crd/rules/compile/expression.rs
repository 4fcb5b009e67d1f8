//! The types of expressions, as far as they can be known before a value is there.
//!
//! Only mistakes that are certain are found: where a type is not known, anything goes.

use std::collections::BTreeMap;

use kube_cel::cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr};
use serde_json::Value;

use crate::crd::rules::types::Type;

/// Names that stand for types and for libraries.
const KNOWN_NAMES: &[&str] = &[
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "list",
    "map",
    "null_type",
    "type",
    "google",
    "optional",
    "math",
    "sets",
    "lists",
    "strings",
    "base64",
    "format",
    "ip",
    "cidr",
    "jsonpatch",
];

/// Functions and methods, and what they give where that is one type.
const FUNCTIONS: &[(&str, &[&str])] = &[
    (
        "bool",
        &[
            "contains",
            "startsWith",
            "endsWith",
            "matches",
            "hasValue",
            "isSorted",
            "isURL",
            "isIP",
            "isCIDR",
            "isQuantity",
            "isSemver",
            "isInteger",
            "isGreaterThan",
            "isLessThan",
            "containsIP",
            "containsCIDR",
            "isUnspecified",
            "isLoopback",
            "isLinkLocalMulticast",
            "isLinkLocalUnicast",
            "isGlobalUnicast",
            "isCanonical",
            "equivalent",
            "intersects",
            "bool",
            "@not_strictly_false",
            "@in",
            "isNaN",
            "isInf",
            "isFinite",
        ],
    ),
    (
        "int",
        &[
            "size",
            "int",
            "indexOf",
            "lastIndexOf",
            "compareTo",
            "family",
            "prefixLength",
            "sign",
            "asInteger",
            "major",
            "minor",
            "patch",
            "getFullYear",
            "getMonth",
            "getDayOfYear",
            "getDayOfMonth",
            "getDate",
            "getDayOfWeek",
            "getHours",
            "getMinutes",
            "getSeconds",
            "getMilliseconds",
        ],
    ),
    (
        "string",
        &[
            "string",
            "charAt",
            "lowerAscii",
            "upperAscii",
            "replace",
            "substring",
            "trim",
            "join",
            "quote",
            "getScheme",
            "getHost",
            "getHostname",
            "getPort",
            "getEscapedPath",
            "find",
            "escapeKey",
        ],
    ),
    ("double", &["double", "asApproximateFloat"]),
    ("duration", &["duration"]),
    ("timestamp", &["timestamp"]),
    (
        "",
        &[
            "type",
            "dyn",
            "uint",
            "bytes",
            "min",
            "max",
            "sum",
            "split",
            "findAll",
            "reverse",
            "slice",
            "sort",
            "flatten",
            "distinct",
            "first",
            "last",
            "range",
            "abs",
            "ceil",
            "floor",
            "round",
            "trunc",
            "sqrt",
            "bitAnd",
            "bitOr",
            "bitXor",
            "bitNot",
            "bitShiftLeft",
            "bitShiftRight",
            "greatest",
            "least",
            "decode",
            "encode",
            "url",
            "getQuery",
            "ip",
            "cidr",
            "masked",
            "quantity",
            "semver",
            "add",
            "sub",
            "format",
            "named",
            "validate",
            "dns1123Label",
            "dns1123Subdomain",
            "dns1035Label",
            "dns1123LabelPrefix",
            "dns1123SubdomainPrefix",
            "dns1035LabelPrefix",
            "qualifiedName",
            "labelValue",
            "uri",
            "uuid",
            "byte",
            "date",
            "datetime",
            "none",
            "of",
            "ofNonZeroValue",
            "value",
            "or",
            "orValue",
            "-_",
        ],
    ),
];

/// A mistake as the language's own compiler shows it; `column` counts bytes from 0.
pub(super) fn located(source: &str, column: usize, message: &str) -> String {
    let line = source.lines().next().unwrap_or_default();
    format!("ERROR: <input>:1:{}: {message}\n | {line}\n | {}^", column + 1, ".".repeat(column))
}

/// Whether an expression names a variable.
pub(super) fn names(expression: &IdedExpr, name: &str) -> bool {
    let any = |all: &[IdedExpr]| all.iter().any(|inner| names(inner, name));
    match &expression.expr {
        Expr::Ident(held) => held == name,
        Expr::Select(select) => names(&select.operand, name),
        Expr::Call(call) => call.target.as_ref().is_some_and(|target| names(target, name)) || any(&call.args),
        Expr::List(list) => any(&list.elements),
        Expr::Comprehension(all) => [&all.iter_range, &all.accu_init, &all.loop_cond, &all.loop_step, &all.result]
            .into_iter()
            .any(|inner| names(inner, name)),
        Expr::Map(map) => map.entries.iter().any(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => names(&entry.key, name) || names(&entry.value, name),
            EntryExpr::StructField(field) => names(&field.value, name),
        }),
        _ => false,
    }
}

/// The type of a rule's expression at a place in a schema, or its first mistake.
pub(super) fn type_of<'a>(
    expression: &IdedExpr,
    source: &'a str,
    schema: &'a Value,
    optional_old: bool,
) -> Result<Type<'a>, String> {
    let own = Type::of(schema);
    let old = if optional_old { Type::Optional(Box::new(own.clone())) } else { own.clone() };
    let variables = BTreeMap::from([("self".to_owned(), own), ("oldSelf".to_owned(), old)]);
    Scope { source, variables }.infer(expression)
}

#[derive(Clone)]
struct Scope<'a> {
    source: &'a str,
    variables: BTreeMap<String, Type<'a>>,
}

impl<'a> Scope<'a> {
    /// A mistake at the first place where `text` stands as a word.
    fn mistake(&self, text: &str, message: &str) -> String {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let wordy = text.ends_with(is_word);
        let mut positions = self.source.match_indices(text).map(|(at, _)| at);
        let found = positions.find(|at| !wordy || !self.source[at + text.len()..].starts_with(is_word));
        located(self.source, found.unwrap_or(0), message)
    }

    fn undeclared(&self, name: &str) -> String {
        self.mistake(name, &format!("undeclared reference to '{name}' (in container '')"))
    }

    fn infer(&self, expression: &IdedExpr) -> Result<Type<'a>, String> {
        Ok(match &expression.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) => Type::Double,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::String(_) => Type::Text,
                LiteralValue::Null | LiteralValue::UInt(_) => Type::Dyn,
            },
            Expr::Ident(name) => match self.variables.get(name) {
                Some(found) => found.clone(),
                None if KNOWN_NAMES.contains(&name.as_str()) || name.starts_with('@') => Type::Dyn,
                None => return Err(self.undeclared(name)),
            },
            Expr::Select(select) => self.select(select)?,
            Expr::Call(call) => self.call(call)?,
            Expr::List(list) => {
                let found = list.elements.iter().map(|one| self.infer(one)).collect::<Result<Vec<_>, _>>()?;
                Type::List(Box::new(found.into_iter().next().unwrap_or(Type::Dyn)))
            }
            Expr::Comprehension(all) => self.comprehension(all)?,
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.infer(&entry.key)?;
                        self.infer(&entry.value)?;
                    }
                }
                Type::Map(Box::new(Type::Dyn))
            }
            Expr::Struct(_) | Expr::Unspecified => Type::Dyn,
        })
    }

    fn select(&self, select: &SelectExpr) -> Result<Type<'a>, String> {
        let operand = self.infer(&select.operand)?;
        let Some(found) = operand.field(&select.field) else {
            let message = match operand.scalar() {
                Some(name) => format!("type '{name}' does not support field selection"),
                None => format!("undefined field '{}'", select.field),
            };
            return Err(self.mistake(&format!(".{}", select.field), &message));
        };
        Ok(if select.test { Type::Bool } else { found })
    }

    fn comprehension(&self, all: &ComprehensionExpr) -> Result<Type<'a>, String> {
        let range = self.infer(&all.iter_range)?;
        let mut inner = self.clone();
        inner.variables.insert(all.accu_var.clone(), self.infer(&all.accu_init)?);
        inner.variables.insert(all.iter_var.clone(), range.element());
        if let Some(second) = &all.iter_var2 {
            inner.variables.insert(second.clone(), Type::Dyn);
        }
        inner.infer(&all.loop_cond)?;
        let step = inner.infer(&all.loop_step)?;
        // What `map` and `filter` build has the type of its steps.
        inner.variables.insert(all.accu_var.clone(), step);
        inner.infer(&all.result)
    }

    fn call(&self, call: &CallExpr) -> Result<Type<'a>, String> {
        let target = call.target.as_ref().map(|target| self.infer(target)).transpose()?;
        let name = call.func_name.as_str();
        if matches!(name, "_?._") {
            return self.optional_select(call);
        }
        let args = call.args.iter().map(|arg| self.infer(arg)).collect::<Result<Vec<_>, _>>()?;
        match (name, args.as_slice()) {
            ("_&&_" | "_||_" | "!_", _) => Ok(Type::Bool),
            ("_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_", [left, right]) => {
                self.comparable(name, left, right).map(|()| Type::Bool)
            }
            ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", [left, right]) => self.arithmetic(name, left, right),
            ("_?:_" | "_?_:_", [_, yes, no]) => {
                let same = yes.scalar().is_some() && yes.scalar() == no.scalar();
                Ok(if same { yes.clone() } else { Type::Dyn })
            }
            ("_[_]", [Type::List(inner) | Type::Map(inner), _]) => Ok((**inner).clone()),
            ("_[_]" | "_[?_]", _) => Ok(Type::Dyn),
            ("orValue", [_]) | ("value", []) => Ok(match target {
                Some(Type::Optional(inner)) => *inner,
                _ => Type::Dyn,
            }),
            _ => match FUNCTIONS.iter().find(|(_, known)| known.contains(&name)) {
                Some((kind, _)) => Ok(named(kind)),
                None => Err(self.undeclared(name)),
            },
        }
    }

    /// `a.?b`: the second argument is the field's name.
    fn optional_select(&self, call: &CallExpr) -> Result<Type<'a>, String> {
        let [operand, field] = call.args.as_slice() else { return Ok(Type::Dyn) };
        let found = self.infer(operand)?;
        let Expr::Literal(LiteralValue::String(name)) = &field.expr else { return Ok(Type::Dyn) };
        let name = name.inner();
        match found.field(name) {
            Some(Type::Optional(inner)) => Ok(Type::Optional(inner)),
            Some(inner) => Ok(Type::Optional(Box::new(inner))),
            None => Err(self.mistake(&format!("?{name}"), &format!("undefined field '{name}'"))),
        }
    }

    fn no_overload(&self, operator: &str, left: &str, right: &str) -> String {
        let message = format!("found no matching overload for '{operator}' applied to '({left}, {right})'");
        self.mistake(operator.trim_matches('_'), &message)
    }

    fn comparable(&self, operator: &str, left: &Type<'_>, right: &Type<'_>) -> Result<(), String> {
        let (Some(left), Some(right)) = (left.scalar(), right.scalar()) else { return Ok(()) };
        let numbers = ["int", "double"];
        // Numbers are ordered across their types; equal they are only to their own.
        let across = numbers.contains(&left) && numbers.contains(&right) && !matches!(operator, "_==_" | "_!=_");
        if left == right || across { Ok(()) } else { Err(self.no_overload(operator, left, right)) }
    }

    fn arithmetic(&self, operator: &str, left: &Type<'a>, right: &Type<'a>) -> Result<Type<'a>, String> {
        let (Some(first), Some(second)) = (left.scalar(), right.scalar()) else {
            return Ok(if matches!(left, Type::List(_)) { left.clone() } else { Type::Dyn });
        };
        let times = ["timestamp", "duration"];
        match (first, second) {
            _ if times.contains(&first) && times.contains(&second) => Ok(Type::Dyn),
            _ if first == second && first != "bool" => Ok(left.clone()),
            _ => Err(self.no_overload(operator, first, second)),
        }
    }
}

fn named(kind: &str) -> Type<'static> {
    match kind {
        "bool" => Type::Bool,
        "int" => Type::Int,
        "string" => Type::Text,
        "double" => Type::Double,
        "duration" => Type::Duration,
        "timestamp" => Type::Timestamp,
        _ => Type::Dyn,
    }
}
