//! The formula of `advanced.scalingModifiers`: an expression over the values of triggers by their names, in the part of the expr
//! language that makes sense for numbers (`docs/rules.md#keda-scaling-modifiers`).
//!
//! Own code, since no crate has this language: its numbers (`1 / 2` is a half, `%` takes integers alone), its operators (`??`,
//! `in`, `..`, `^`) and its predicates (`filter(a, # > 2)`) are those of neither CEL nor of the crates of arithmetic.
//!
//! Bad input never panics, and takes a bounded time and stack. What is not served is refused by name.

mod builtin;
mod error;
mod evaluate;
mod parse;
mod syntax;
#[cfg(test)]
mod tests;
mod token;
mod value;

use std::collections::{BTreeMap, BTreeSet};

pub use error::Problem;
use evaluate::{Mode, evaluate};
use syntax::Node;
use value::Value;

/// A formula that was found in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula(Node);

/// What each trigger has in the run that a formula is checked with.
const CHECKED_WITH: f64 = -1.0;

impl Formula {
    /// The formula that `text` writes over the triggers of these names. It is run once with -1 for each, as KEDA does, and parts that this
    /// run leaves aside are looked at too.
    ///
    /// # Errors
    ///
    /// [`Problem::Syntax`], also for a name that no trigger has and for what is not served. [`Problem::Type`] and
    /// [`Problem::Value`] if the run fails.
    pub fn new(text: &str, triggers: &BTreeSet<&str>) -> Result<Self, Problem> {
        let formula = Self(parse::parse(text, triggers)?);
        let values = triggers.iter().map(|name| (*name, Some(CHECKED_WITH))).collect();
        as_result(&evaluate(&formula.0, &values, Mode::Check)?)?;
        Ok(formula)
    }

    /// Its value with these of the triggers, where `None` is nil: a trigger in fallback. `None` if the result is nil.
    ///
    /// # Errors
    ///
    /// [`Problem::Type`] and [`Problem::Value`] if these values have no result.
    pub fn value(&self, triggers: &BTreeMap<&str, Option<f64>>) -> Result<Option<f64>, Problem> {
        as_result(&evaluate(&self.0, triggers, Mode::Result)?)
    }
}

fn as_result(value: &Value) -> Result<Option<f64>, Problem> {
    match value {
        Value::Nil => Ok(None),
        value => builtin::float(value).map(|value| value.number()),
    }
}
