//! The values of a formula and what its operators make of them.
//!
//! Integers and floats are two types, as in Go: `/` and `**` always give a float, `%` takes integers alone.

use std::cmp::Ordering;

use super::error::Problem;
use super::syntax::Operator;

type Result<T> = std::result::Result<T, Problem>;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
}

impl Value {
    /// The type, in the words of the expr language.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "string",
            Self::List(_) => "array",
        }
    }

    /// The number, as a float.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of `what`, which is true or false.
    pub(super) fn is_true(&self, what: &str) -> Result<bool> {
        match self {
            Self::Bool(is_true) => Ok(*is_true),
            _ => Err(Problem::type_(format!("{what} is true or false, not of type {}", self.type_name()))),
        }
    }

    /// The elements of the array that `what` takes.
    pub(super) fn elements(self, what: &str) -> Result<Vec<Self>> {
        match self {
            Self::List(elements) => Ok(elements),
            other => Err(Problem::type_(format!("{what} takes an array, not a value of type {}", other.type_name()))),
        }
    }

    /// The number that `what` takes, as an integer; a fraction is cut off, as in Go.
    pub(super) fn integer(&self, what: &str) -> Result<i64> {
        match self {
            Self::Integer(number) => Ok(*number),
            Self::Float(number) => Ok(*number as i64),
            _ => Err(Problem::type_(format!("{what} takes a number, not a value of type {}", self.type_name()))),
        }
    }

    /// Whether two values are equal. An integer may equal a float.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(one), Self::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.equals(two))
            }
            _ => match (self.number(), other.number()) {
                (Some(one), Some(two)) => one.partial_cmp(&two) == Some(Ordering::Equal),
                _ => self == other,
            },
        }
    }

    /// Which of two numbers, or of two strings, comes first. `None` if one is no number.
    pub(super) fn order(&self, other: &Self) -> Result<Option<Ordering>> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(two)) => Ok(Some(one.cmp(two))),
            (Self::Text(one), Self::Text(two)) => Ok(Some(one.cmp(two))),
            _ => match (self.number(), other.number()) {
                (Some(one), Some(two)) => Ok(one.partial_cmp(&two)),
                _ => Err(mismatched("<", self, other)),
            },
        }
    }

    /// The negative of a number.
    pub(super) fn negative(&self) -> Result<Self> {
        match self {
            Self::Integer(number) => Ok(Self::Integer(number.wrapping_neg())),
            Self::Float(number) => Ok(Self::Float(-number)),
            _ => Err(Problem::type_(format!("operator - takes a number, not a value of type {}", self.type_name()))),
        }
    }

    /// What an operator makes of two values, both of which are known.
    pub(super) fn combined(operator: Operator, one: &Self, two: &Self) -> Result<Self> {
        let refused = || mismatched(operator.sign(), one, two);
        match operator {
            Operator::Equal | Operator::Unequal => {
                let comparable = one.number().is_some() == two.number().is_some()
                    && (one.number().is_some() || one.type_name() == two.type_name());
                if !comparable && !matches!((one, two), (Self::Nil, _) | (_, Self::Nil)) {
                    return Err(refused());
                }
                Ok(Self::Bool(one.equals(two) == (operator == Operator::Equal)))
            }
            Operator::Less | Operator::Greater | Operator::LessOrEqual | Operator::GreaterOrEqual => {
                let order = one.order(two).map_err(|_| refused())?;
                Ok(Self::Bool(order.is_some_and(|order| operator.holds(order))))
            }
            Operator::In => Self::is_in(one, two),
            Operator::Contains | Operator::StartsWith | Operator::EndsWith => {
                let (Self::Text(one), Self::Text(two)) = (one, two) else { return Err(refused()) };
                Ok(Self::Bool(match operator {
                    Operator::Contains => one.contains(two.as_str()),
                    Operator::StartsWith => one.starts_with(two.as_str()),
                    _ => one.ends_with(two.as_str()),
                }))
            }
            _ => arithmetic(operator, one, two),
        }
    }

    fn is_in(one: &Self, two: &Self) -> Result<Self> {
        match two {
            Self::List(elements) => Ok(Self::Bool(elements.iter().any(|element| element.equals(one)))),
            Self::Nil => Ok(Self::Bool(false)),
            _ => Err(mismatched("in", one, two)),
        }
    }
}

fn arithmetic(operator: Operator, one: &Value, two: &Value) -> Result<Value> {
    if let (Operator::Add, Value::Text(one), Value::Text(two)) = (operator, one, two) {
        return Ok(Value::Text(format!("{one}{two}")));
    }
    if let (Value::Integer(one), Value::Integer(two)) = (one, two) {
        match operator {
            // As Go, which goes round at the end of the range.
            Operator::Add => return Ok(Value::Integer(one.wrapping_add(*two))),
            Operator::Subtract => return Ok(Value::Integer(one.wrapping_sub(*two))),
            Operator::Multiply => return Ok(Value::Integer(one.wrapping_mul(*two))),
            Operator::Remainder if *two == 0 => return Err(Problem::value("integer divide by zero")),
            Operator::Remainder => return Ok(Value::Integer(one.wrapping_rem(*two))),
            _ => {}
        }
    }
    match (operator, one.number(), two.number()) {
        (Operator::Add, Some(one), Some(two)) => Ok(Value::Float(one + two)),
        (Operator::Subtract, Some(one), Some(two)) => Ok(Value::Float(one - two)),
        (Operator::Multiply, Some(one), Some(two)) => Ok(Value::Float(one * two)),
        (Operator::Divide, Some(one), Some(two)) => Ok(Value::Float(one / two)),
        (Operator::Power, Some(one), Some(two)) => Ok(Value::Float(one.powf(two))),
        (Operator::Remainder, Some(_), Some(_)) => {
            let hint = "operator % takes integers, and the value of a trigger is a float; write int(…) % int(…)";
            Err(Problem::type_(hint))
        }
        _ => Err(mismatched(operator.sign(), one, two)),
    }
}

fn mismatched(sign: &str, one: &Value, two: &Value) -> Problem {
    Problem::type_(format!("invalid operation: {sign} (mismatched types {} and {})", one.type_name(), two.type_name()))
}
