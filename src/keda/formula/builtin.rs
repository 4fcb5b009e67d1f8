//! The functions of the expr language that make sense for numbers.

use super::error::Problem;
use super::value::Value;

type Result<T> = std::result::Result<T, Problem>;

/// One function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Ceil,
    Floor,
    Round,
    Int,
    Float,
    Max,
    Min,
    Mean,
    Median,
    Sum,
    Count,
    Len,
    First,
    Last,
    Take,
    Reverse,
    Sort,
    Concat,
    Uniq,
    Flatten,
    All,
    Any,
    One,
    None,
    Map,
    Filter,
    Find,
    FindIndex,
    FindLast,
    FindLastIndex,
    Reduce,
}

/// Whether the second argument is a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Predicate {
    Never,
    Optional,
    Always,
}

/// Name, function, least and most arguments.
const TABLE: [(&str, Function, usize, usize); 32] = [
    ("abs", Function::Abs, 1, 1),
    ("ceil", Function::Ceil, 1, 1),
    ("floor", Function::Floor, 1, 1),
    ("round", Function::Round, 1, 1),
    ("int", Function::Int, 1, 1),
    ("float", Function::Float, 1, 1),
    ("max", Function::Max, 1, usize::MAX),
    ("min", Function::Min, 1, usize::MAX),
    ("mean", Function::Mean, 1, usize::MAX),
    ("median", Function::Median, 1, usize::MAX),
    ("sum", Function::Sum, 1, 2),
    ("count", Function::Count, 1, 2),
    ("len", Function::Len, 1, 1),
    ("first", Function::First, 1, 1),
    ("last", Function::Last, 1, 1),
    ("take", Function::Take, 2, 2),
    ("reverse", Function::Reverse, 1, 1),
    ("sort", Function::Sort, 1, 2),
    ("concat", Function::Concat, 1, usize::MAX),
    ("uniq", Function::Uniq, 1, 1),
    ("flatten", Function::Flatten, 1, 1),
    ("all", Function::All, 2, 2),
    ("any", Function::Any, 2, 2),
    ("one", Function::One, 2, 2),
    ("none", Function::None, 2, 2),
    ("map", Function::Map, 2, 2),
    ("filter", Function::Filter, 2, 2),
    ("find", Function::Find, 2, 2),
    ("findIndex", Function::FindIndex, 2, 2),
    ("findLast", Function::FindLast, 2, 2),
    ("findLastIndex", Function::FindLastIndex, 2, 2),
    ("reduce", Function::Reduce, 2, 3),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|row| row.0)
    }

    pub(super) fn name(self) -> &'static str {
        TABLE.iter().find(|row| row.1 == self).map_or("", |row| row.0)
    }

    /// The least and the most arguments.
    pub(super) fn arguments(self) -> (usize, usize) {
        TABLE.iter().find(|row| row.1 == self).map_or((0, 0), |row| (row.2, row.3))
    }

    pub(super) fn described(least: usize, most: usize) -> String {
        match (least, most) {
            (1, 1) => "1 argument".to_owned(),
            _ if least == most => format!("{least} arguments"),
            (_, usize::MAX) => format!("at least {least} argument"),
            _ => format!("{least} to {most} arguments"),
        }
    }

    pub(super) fn predicate(self) -> Predicate {
        match self {
            Self::Sum | Self::Count => Predicate::Optional,
            Self::All
            | Self::Any
            | Self::One
            | Self::None
            | Self::Map
            | Self::Filter
            | Self::Find
            | Self::FindIndex
            | Self::FindLast
            | Self::FindLastIndex
            | Self::Reduce => Predicate::Always,
            _ => Predicate::Never,
        }
    }

    /// The result of a function without a predicate.
    pub(super) fn applied(self, mut arguments: Vec<Value>) -> Result<Value> {
        let name = self.name();
        match self {
            Self::Max | Self::Min => return self.extreme(arguments),
            Self::Mean => return Ok(Value::Float(mean(&numbers(name, arguments)?))),
            Self::Median => return Ok(Value::Float(median(numbers(name, arguments)?))),
            Self::Concat => {
                let lists: Result<Vec<_>> = arguments.into_iter().map(|list| list.elements(name)).collect();
                return Ok(Value::List(lists?.into_iter().flatten().collect()));
            }
            _ => {}
        }
        let second = if arguments.len() > 1 { arguments.pop() } else { None };
        let first = arguments.pop().unwrap_or(Value::Nil);
        match self {
            Self::Abs => match first {
                Value::Integer(number) => Ok(Value::Integer(number.wrapping_abs())),
                other => rounded(name, &other, f64::abs),
            },
            Self::Ceil => rounded(name, &first, f64::ceil),
            Self::Floor => rounded(name, &first, f64::floor),
            Self::Round => rounded(name, &first, f64::round),
            Self::Int => int(&first),
            Self::Float => float(&first),
            Self::Len => match first {
                Value::Text(text) => Ok(Value::Integer(text.chars().count() as i64)),
                other => Ok(Value::Integer(other.elements(name)?.len() as i64)),
            },
            Self::Sum => sum(first.elements(name)?),
            Self::Count => {
                let each: Result<Vec<_>> =
                    first.elements(name)?.iter().map(|element| element.is_true("an element of count")).collect();
                Ok(Value::Integer(each?.into_iter().filter(|is_true| *is_true).count() as i64))
            }
            _ => of_list(self, first.elements(name)?, second),
        }
    }

    /// The greatest or the least of numbers and arrays of them.
    fn extreme(self, arguments: Vec<Value>) -> Result<Value> {
        let mut found = Value::Nil;
        for value in flattened(arguments) {
            if value.number().is_none() {
                return Err(not_a_number(self.name(), &value));
            }
            let is_better = match found.number() {
                None => true,
                Some(_) => value
                    .order(&found)?
                    .is_some_and(|order| if self == Self::Max { order.is_gt() } else { order.is_lt() }),
            };
            if is_better {
                found = value;
            }
        }
        Ok(found)
    }
}

fn of_list(function: Function, mut list: Vec<Value>, second: Option<Value>) -> Result<Value> {
    match function {
        Function::First => Ok(list.into_iter().next().unwrap_or(Value::Nil)),
        Function::Last => Ok(list.pop().unwrap_or(Value::Nil)),
        Function::Take => {
            let count = second.unwrap_or(Value::Nil).integer("take")?;
            let count = usize::try_from(count).map_err(|_| Problem::value("take of a negative number"))?;
            list.truncate(count);
            Ok(Value::List(list))
        }
        Function::Reverse => {
            list.reverse();
            Ok(Value::List(list))
        }
        Function::Flatten => Ok(Value::List(flattened(list))),
        Function::Uniq => {
            let mut kept: Vec<Value> = Vec::new();
            for value in list {
                if !kept.iter().any(|one| one.equals(&value)) {
                    kept.push(value);
                }
            }
            Ok(Value::List(kept))
        }
        _ => sorted(list, second),
    }
}

fn sorted(mut list: Vec<Value>, order: Option<Value>) -> Result<Value> {
    let is_descending = match order {
        None => false,
        Some(Value::Text(order)) if order == "asc" => false,
        Some(Value::Text(order)) if order == "desc" => true,
        Some(_) => return Err(Problem::type_("the order of sort is \"asc\" or \"desc\"")),
    };
    let mut failed = None;
    list.sort_by(|one, other| {
        let order = one.order(other).unwrap_or_else(|problem| {
            failed = Some(problem);
            None
        });
        let order = order.unwrap_or(std::cmp::Ordering::Equal);
        if is_descending { order.reverse() } else { order }
    });
    failed.map_or(Ok(Value::List(list)), Err)
}

fn not_a_number(name: &str, value: &Value) -> Problem {
    Problem::type_(format!("{name} takes numbers, not a value of type {}", value.type_name()))
}

fn flattened(values: Vec<Value>) -> Vec<Value> {
    let each = values.into_iter().flat_map(|value| match value {
        Value::List(elements) => flattened(elements),
        other => vec![other],
    });
    each.collect()
}

fn numbers(name: &str, values: Vec<Value>) -> Result<Vec<f64>> {
    let each = flattened(values).into_iter();
    each.map(|value| value.number().ok_or_else(|| not_a_number(name, &value))).collect()
}

fn mean(numbers: &[f64]) -> f64 {
    if numbers.is_empty() { 0.0 } else { numbers.iter().sum::<f64>() / numbers.len() as f64 }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match (numbers.get(middle), middle.checked_sub(1).and_then(|before| numbers.get(before))) {
        (Some(high), Some(low)) if numbers.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (Some(middle), _) => *middle,
        _ => 0.0,
    }
}

/// The sum of numbers: an integer if all are.
pub(super) fn sum(values: Vec<Value>) -> Result<Value> {
    values.into_iter().try_fold(Value::Integer(0), |sum, value| match value.number() {
        Some(_) => Value::combined(super::syntax::Operator::Add, &sum, &value),
        None => Err(not_a_number("sum", &value)),
    })
}

fn rounded(name: &str, value: &Value, round: fn(f64) -> f64) -> Result<Value> {
    value.number().map(|number| Value::Float(round(number))).ok_or_else(|| not_a_number(name, value))
}

fn int(value: &Value) -> Result<Value> {
    match value {
        Value::Text(text) => {
            let number = text.parse().map_err(|_| Problem::value(format!("invalid operation: int({text:?})")));
            number.map(Value::Integer)
        }
        other => other.integer("int").map(Value::Integer),
    }
}

/// A value as a float.
pub(super) fn float(value: &Value) -> Result<Value> {
    match value {
        Value::Text(text) => {
            let number = text.parse().map_err(|_| Problem::value(format!("invalid operation: float({text:?})")));
            number.map(Value::Float)
        }
        other => other.number().map(Value::Float).ok_or_else(|| {
            Problem::type_(format!("invalid operation: float({}); the result must be a number", other.type_name()))
        }),
    }
}
