//! The value of a formula.

use std::collections::BTreeMap;

use super::builtin::{Function, Predicate, sum};
use super::error::Problem;
use super::syntax::Node;
use super::value::Value;

type Result<T> = std::result::Result<T, Problem>;

/// Steps that an evaluation may take, an element of an array being one: milliseconds.
const STEPS_MAX: usize = 100_000;

/// Whether parts are looked at that these values leave aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Only what the result takes.
    Result,
    /// Every part, for operands of a wrong type.
    Check,
}

/// The value of `node`, with those of the triggers; `None` for one that a fallback makes nil.
pub(super) fn evaluate(node: &Node, triggers: &BTreeMap<&str, Option<f64>>, mode: Mode) -> Result<Value> {
    Machine { triggers, mode, variables: Vec::new(), pointers: Vec::new(), steps: STEPS_MAX }.value(node)
}

struct Machine<'a> {
    triggers: &'a BTreeMap<&'a str, Option<f64>>,
    mode: Mode,
    variables: Vec<(String, Value)>,
    /// Of the predicates that are evaluated.
    pointers: Vec<Pointer>,
    steps: usize,
}

struct Pointer {
    element: Value,
    index: i64,
    accumulated: Value,
}

impl Machine<'_> {
    fn step(&mut self, count: usize) -> Result<()> {
        let left = self.steps.checked_sub(count);
        self.steps = left.ok_or_else(|| Problem::value(format!("the formula takes more than {STEPS_MAX} steps")))?;
        Ok(())
    }

    fn value(&mut self, node: &Node) -> Result<Value> {
        self.step(1)?;
        match node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Trigger(name) => match self.triggers.get(name.as_str()) {
                Some(value) => Ok(value.map_or(Value::Nil, Value::Float)),
                None => Err(Problem::value(format!("trigger {name} has no value"))),
            },
            Node::Variable(name) => {
                let found = self.variables.iter().rev().find(|(variable, _)| variable == name);
                Ok(found.map_or(Value::Nil, |(_, value)| value.clone()))
            }
            Node::Element | Node::Index | Node::Accumulated => Ok(self.pointed_at(node)),
            Node::Not(operand) => Ok(Value::Bool(!self.value(operand)?.is_true("the operand of not")?)),
            Node::Negative(operand) => self.value(operand)?.negative(),
            Node::Positive(operand) => self.value(operand)?.negative()?.negative(),
            Node::And(one, two) => self.logic(one, two, false),
            Node::Or(one, two) => self.logic(one, two, true),
            Node::Coalesce(one, two) => match self.value(one)? {
                Value::Nil => self.value(two),
                value => self.aside(two).map(|_| value),
            },
            Node::Binary(operator, one, two) => {
                let (one, two) = (self.value(one)?, self.value(two)?);
                Value::combined(*operator, &one, &two)
            }
            Node::Chain(first, rest) => self.chain(first, rest),
            Node::Conditional(parts) => self.conditional(parts),
            Node::Range(one, two) => self.range(one, two),
            Node::List(nodes) => Ok(Value::List(self.values(nodes)?)),
            Node::Item(list, index) => self.item(list, index),
            Node::Slice(list, from, to) => self.slice(list, from.as_deref(), to.as_deref()),
            Node::Call(function, arguments) => self.call(*function, arguments),
            Node::Let(name, value, then) => {
                let value = self.value(value)?;
                self.variables.push((name.clone(), value));
                let result = self.value(then);
                self.variables.pop();
                result
            }
            Node::Sequence(nodes) => Ok(self.values(nodes)?.pop().unwrap_or(Value::Nil)),
        }
    }

    fn values(&mut self, nodes: &[Node]) -> Result<Vec<Value>> {
        nodes.iter().map(|node| self.value(node)).collect()
    }

    fn pointed_at(&self, node: &Node) -> Value {
        let Some(pointer) = self.pointers.last() else { return Value::Nil };
        match node {
            Node::Index => Value::Integer(pointer.index),
            Node::Accumulated => pointer.accumulated.clone(),
            _ => pointer.element.clone(),
        }
    }

    /// A part that the result does not take. What is wrong with its types is wrong all the same.
    fn aside(&mut self, node: &Node) -> Result<Option<Value>> {
        if self.mode == Mode::Result {
            return Ok(None);
        }
        let (variables, pointers) = (self.variables.len(), self.pointers.len());
        match self.value(node) {
            Ok(value) => Ok(Some(value)),
            Err(Problem::Value(_)) => {
                self.variables.truncate(variables);
                self.pointers.truncate(pointers);
                Ok(None)
            }
            Err(problem) => Err(problem),
        }
    }

    fn logic(&mut self, one: &Node, two: &Node, decisive: bool) -> Result<Value> {
        let what = if decisive { "an operand of or" } else { "an operand of and" };
        if self.value(one)?.is_true(what)? == decisive {
            if let Some(aside) = self.aside(two)? {
                aside.is_true(what)?;
            }
            return Ok(Value::Bool(decisive));
        }
        Ok(Value::Bool(self.value(two)?.is_true(what)?))
    }

    fn chain(&mut self, first: &Node, rest: &[(super::syntax::Operator, Node)]) -> Result<Value> {
        let mut before = self.value(first)?;
        for (operator, node) in rest {
            let next = self.value(node)?;
            if Value::combined(*operator, &before, &next)? == Value::Bool(false) {
                return Ok(Value::Bool(false));
            }
            before = next;
        }
        Ok(Value::Bool(true))
    }

    fn conditional(&mut self, parts: &[Node; 3]) -> Result<Value> {
        let [condition, first, second] = parts;
        let is_true = self.value(condition)?.is_true("a condition")?;
        let (taken, other) = if is_true { (first, second) } else { (second, first) };
        self.aside(other)?;
        self.value(taken)
    }

    fn range(&mut self, one: &Node, two: &Node) -> Result<Value> {
        let ends = [self.value(one)?, self.value(two)?];
        let [Value::Integer(from), Value::Integer(to)] = ends else {
            return Err(Problem::type_("the ends of a range are integers; write int(…)..int(…)"));
        };
        let count = to.saturating_sub(from).saturating_add(1);
        self.step(usize::try_from(count).unwrap_or(0))?;
        Ok(Value::List((from..=to).map(Value::Integer).collect()))
    }

    fn list(&mut self, node: &Node, what: &str) -> Result<Vec<Value>> {
        let list = self.value(node)?.elements(what)?;
        self.step(list.len())?;
        Ok(list)
    }

    fn item(&mut self, list: &Node, index: &Node) -> Result<Value> {
        let list = self.list(list, "an index")?;
        let index = self.value(index)?.integer("an index")?;
        let place = from_end(index, list.len());
        let found = usize::try_from(place).ok().and_then(|place| list.get(place).cloned());
        found.ok_or_else(|| Problem::value(format!("index out of range: {index} (array length is {})", list.len())))
    }

    fn slice(&mut self, list: &Node, from: Option<&Node>, to: Option<&Node>) -> Result<Value> {
        let list = self.list(list, "a slice")?;
        let mut end = |node: Option<&Node>, default: i64| match node {
            Some(node) => Ok(from_end(self.value(node)?.integer("a slice")?, list.len()).max(0)),
            None => Ok(default),
        };
        let from = usize::try_from(end(from, 0)?).unwrap_or(0);
        let to = usize::try_from(end(to, list.len() as i64)?).unwrap_or(0).min(list.len());
        Ok(Value::List(list.get(from.min(to)..to).unwrap_or_default().to_vec()))
    }

    fn call(&mut self, function: Function, arguments: &[Node]) -> Result<Value> {
        let has_predicate = match function.predicate() {
            Predicate::Never => false,
            Predicate::Optional => arguments.len() > 1,
            Predicate::Always => true,
        };
        if !has_predicate {
            let values = self.values(arguments)?;
            return function.applied(values);
        }
        let mut arguments = arguments.iter();
        let (Some(list), Some(predicate)) = (arguments.next(), arguments.next()) else { return Ok(Value::Nil) };
        let list = self.list(list, function.name())?;
        if function == Function::Reduce {
            let start = arguments.next().map(|start| self.value(start)).transpose()?;
            return self.reduced(list, predicate, start);
        }
        self.by_predicate(function, list, predicate)
    }

    /// What the predicate says of one element.
    fn predicate(&mut self, node: &Node, element: Value, index: usize, accumulated: Value) -> Result<Value> {
        self.pointers.push(Pointer { element, index: index as i64, accumulated });
        let value = self.value(node);
        self.pointers.pop();
        value
    }

    fn reduced(&mut self, list: Vec<Value>, predicate: &Node, start: Option<Value>) -> Result<Value> {
        let mut elements = list.into_iter().enumerate();
        let mut accumulated = match start {
            Some(start) => start,
            None => {
                elements.next().map(|(_, first)| first).ok_or_else(|| Problem::value("reduce of an empty array"))?
            }
        };
        for (index, element) in elements {
            accumulated = self.predicate(predicate, element, index, accumulated)?;
        }
        Ok(accumulated)
    }

    fn by_predicate(&mut self, function: Function, list: Vec<Value>, predicate: &Node) -> Result<Value> {
        let mut results = Vec::new();
        for (index, element) in list.iter().enumerate() {
            results.push(self.predicate(predicate, element.clone(), index, Value::Nil)?);
        }
        match function {
            Function::Map => return Ok(Value::List(results)),
            Function::Sum => return sum(results),
            _ => {}
        }
        let what = format!("the predicate of {}", function.name());
        let holds: Result<Vec<_>> = results.iter().map(|result| result.is_true(&what)).collect();
        let holds = holds?;
        let count = holds.iter().filter(|holds| **holds).count();
        let earliest = holds.iter().position(|holds| *holds);
        let latest = holds.iter().rposition(|holds| *holds);
        let element = |index: Option<usize>| index.and_then(|index| list.get(index).cloned()).unwrap_or(Value::Nil);
        let position = |index: Option<usize>| Value::Integer(index.map_or(-1, |index| index as i64));
        Ok(match function {
            Function::All => Value::Bool(count == holds.len()),
            Function::Any => Value::Bool(count > 0),
            Function::One => Value::Bool(count == 1),
            Function::None => Value::Bool(count == 0),
            Function::Find => element(earliest),
            Function::FindLast => element(latest),
            Function::FindIndex => position(earliest),
            Function::FindLastIndex => position(latest),
            Function::Count => Value::Integer(count as i64),
            _ => Value::List(list.into_iter().zip(holds).filter(|(_, holds)| *holds).map(|(one, _)| one).collect()),
        })
    }
}

/// An index, of which a negative one counts from the end.
fn from_end(index: i64, length: usize) -> i64 {
    if index < 0 { index.saturating_add(length as i64) } else { index }
}
