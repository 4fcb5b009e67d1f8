//! Tokens as the parts of a formula, with the precedences of the expr language.

use std::collections::BTreeSet;

use super::builtin::{Function, Predicate};
use super::error::Problem;
use super::syntax::{Node, Operator};
use super::token::{Kind, Token, tokens};
use super::value::Value;

type Result<T> = std::result::Result<T, Problem>;

/// Parts that a formula may have, and how deep they may lie in each other: far more than one that a person can read.
const PARTS_MAX: usize = 1000;
const DEPTH_MAX: usize = 60;

/// Precedences of what stands before one operand.
const OF_NOT: u16 = 50;
const OF_SIGN: u16 = 90;

/// The formula that `text` writes over the triggers of these names.
pub(super) fn parse(text: &str, triggers: &BTreeSet<&str>) -> Result<Node> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        triggers,
        variables: Vec::new(),
        predicates: Vec::new(),
        parts: 0,
        depth: 0,
    };
    let node = parser.sequence()?;
    match parser.peek() {
        Kind::End => Ok(node),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    triggers: &'a BTreeSet<&'a str>,
    /// Those of `let` that can be seen here.
    variables: Vec<String>,
    /// Those that this lies in; whether it is one of `reduce`.
    predicates: Vec<bool>,
    parts: usize,
    depth: usize,
}

/// How strongly a sign between two operands binds; `None` if it does not stand there.
fn precedence(sign: &str) -> Option<u16> {
    Some(match sign {
        "|" => 0,
        "or" | "||" => 10,
        "and" | "&&" => 15,
        "==" | "!=" | "<" | ">" | ">=" | "<=" | "in" | "matches" | "contains" | "startsWith" | "endsWith" => 20,
        ".." => 25,
        "+" | "-" => 30,
        "*" | "/" | "%" => 60,
        "**" | "^" => 100,
        "??" => 500,
        _ => return None,
    })
}

fn boxed(node: Node) -> Box<Node> {
    Box::new(node)
}

impl Parser<'_> {
    fn peek(&self) -> &Kind {
        self.tokens.get(self.at).map_or(&Kind::End, |token| &token.kind)
    }

    fn position(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |token| token.at)
    }

    fn sign(&self) -> &'static str {
        match self.peek() {
            Kind::Sign(sign) => sign,
            _ => "",
        }
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_there = self.sign() == sign;
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, sign: &'static str) -> Result<()> {
        if self.takes(sign) { Ok(()) } else { Err(self.unexpected(&format!("{sign:?}"))) }
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        let found = match self.peek() {
            Kind::End => "the end".to_owned(),
            Kind::Integer(number) => number.to_string(),
            Kind::Float(number) => number.to_string(),
            Kind::Text(text) => format!("the text {text:?}"),
            Kind::Name(name) => name.clone(),
            Kind::Sign(sign) => format!("{sign:?}"),
        };
        Problem::syntax(self.position(), format!("{wanted} is expected, not {found}"))
    }

    /// Parts with semicolons between them.
    fn sequence(&mut self) -> Result<Node> {
        let visible = self.variables.len();
        let mut nodes = vec![self.expression(0)?];
        while self.takes(";") && *self.peek() != Kind::End {
            nodes.push(self.expression(0)?);
        }
        self.variables.truncate(visible);
        match nodes.pop() {
            Some(only) if nodes.is_empty() => Ok(only),
            last => Ok(Node::Sequence(nodes.into_iter().chain(last).collect())),
        }
    }

    /// One part, with the operators behind it that bind at least so strongly.
    fn expression(&mut self, least: u16) -> Result<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Problem::syntax(self.position(), "the formula is nested too deeply"));
        }
        let node = match self.sign() {
            "let" if least == 0 => self.declaration(),
            "if" if least == 0 => self.branches(),
            _ => self.operation(least),
        };
        self.depth -= 1;
        node
    }

    fn operation(&mut self, least: u16) -> Result<Node> {
        let mut left = self.primary()?;
        let mut is_behind_coalesce = false;
        loop {
            let negated = self.sign() == "not";
            // Such as `not in`.
            let is_negatable = |sign: &str| matches!(sign, "in" | "matches" | "contains" | "startsWith" | "endsWith");
            let ahead = self.tokens.get(self.at + usize::from(negated)).map(|token| &token.kind);
            let Some(Kind::Sign(sign)) = ahead else { break };
            let sign = *sign;
            if negated && !is_negatable(sign) {
                break;
            }
            let Some(strength) = precedence(sign).filter(|strength| *strength >= least) else { break };
            if is_behind_coalesce && sign != "??" && sign != "|" {
                let what = format!("{sign:?} and \"??\" cannot be mixed; put parentheses around one of them");
                return Err(Problem::syntax(self.position(), what));
            }
            is_behind_coalesce = sign == "??";
            self.count()?;
            self.at += 1 + usize::from(negated);
            left = self.joined(left, sign, strength)?;
            if negated {
                left = Node::Not(boxed(left));
            }
        }
        if least == 0 { self.conditional(left) } else { Ok(left) }
    }

    /// `left`, the operator `sign` that was just read, and what follows.
    fn joined(&mut self, left: Node, sign: &'static str, strength: u16) -> Result<Node> {
        if sign == "|" {
            let at = self.position();
            let Kind::Name(name) = self.peek().clone() else { return Err(self.unexpected("a function")) };
            self.at += 1;
            let call = self.call(&name, at, vec![left])?;
            return self.postfix(call);
        }
        if sign == "matches" {
            return Err(Problem::syntax(self.position(), "operator matches is not served in a formula"));
        }
        let right = self.expression(if matches!(sign, "**" | "^") { strength } else { strength + 1 })?;
        Ok(match (sign, Operator::of(sign)) {
            (_, Some(operator)) if operator.is_order() => self.chain(left, operator, right, strength)?,
            (_, Some(operator)) => Node::Binary(operator, boxed(left), boxed(right)),
            ("and" | "&&", _) => Node::And(boxed(left), boxed(right)),
            ("or" | "||", _) => Node::Or(boxed(left), boxed(right)),
            ("??", _) => Node::Coalesce(boxed(left), boxed(right)),
            _ => Node::Range(boxed(left), boxed(right)),
        })
    }

    fn chain(&mut self, first: Node, operator: Operator, second: Node, strength: u16) -> Result<Node> {
        let mut rest = vec![(operator, second)];
        while let Some(operator) = Operator::of(self.sign()).filter(|operator| operator.is_order()) {
            self.count()?;
            self.at += 1;
            rest.push((operator, self.expression(strength + 1)?));
        }
        Ok(Node::Chain(boxed(first), rest))
    }

    fn conditional(&mut self, mut condition: Node) -> Result<Node> {
        while self.takes("?") {
            self.count()?;
            let first = if self.sign() == ":" { condition.clone() } else { self.expression(0)? };
            self.expect(":")?;
            condition = Node::Conditional(Box::new([condition, first, self.expression(0)?]));
        }
        Ok(condition)
    }

    fn declaration(&mut self) -> Result<Node> {
        self.expect("let")?;
        let at = self.position();
        let Kind::Name(name) = self.peek().clone() else { return Err(self.unexpected("the name of a variable")) };
        self.at += 1;
        let is_taken =
            self.triggers.contains(name.as_str()) || self.variables.contains(&name) || Function::named(&name).is_some();
        if is_taken {
            return Err(Problem::syntax(at, format!("{name} has a meaning already; give the variable another name")));
        }
        self.expect("=")?;
        let value = self.expression(0)?;
        self.expect(";")?;
        self.variables.push(name.clone());
        let then = self.sequence()?;
        self.variables.pop();
        Ok(Node::Let(name, boxed(value), boxed(then)))
    }

    fn branches(&mut self) -> Result<Node> {
        self.expect("if")?;
        let condition = self.expression(0)?;
        let first = self.block()?;
        self.expect("else")?;
        let second = if self.sign() == "if" { self.expression(0)? } else { self.block()? };
        Ok(Node::Conditional(Box::new([condition, first, second])))
    }

    fn block(&mut self) -> Result<Node> {
        self.expect("{")?;
        let node = self.sequence()?;
        self.expect("}")?;
        Ok(node)
    }

    fn count(&mut self) -> Result<()> {
        self.parts += 1;
        let is_long = self.parts > PARTS_MAX;
        if is_long { Err(Problem::syntax(self.position(), "the formula is too long")) } else { Ok(()) }
    }

    fn primary(&mut self) -> Result<Node> {
        self.count()?;
        let before = match self.sign() {
            "not" | "!" => Some((OF_NOT, Node::Not as fn(Box<Node>) -> Node)),
            "-" => Some((OF_SIGN, Node::Negative as fn(Box<Node>) -> Node)),
            "+" => Some((OF_SIGN, Node::Positive as fn(Box<Node>) -> Node)),
            _ => None,
        };
        if let Some((strength, make)) = before {
            self.at += 1;
            let operand = self.expression(strength)?;
            return Ok(make(boxed(operand)));
        }
        let node = self.operand()?;
        self.postfix(node)
    }

    fn operand(&mut self) -> Result<Node> {
        let (at, kind) = (self.position(), self.peek().clone());
        let wanted = "a number, a trigger's name, a function or a bracket";
        if matches!(kind, Kind::End) {
            return Err(self.unexpected(wanted));
        }
        self.at += 1;
        match kind {
            Kind::Integer(number) => Ok(Node::Literal(Value::Integer(number))),
            Kind::Float(number) => Ok(Node::Literal(Value::Float(number))),
            Kind::Text(text) => Ok(Node::Literal(Value::Text(text))),
            Kind::Name(name) if self.sign() == "(" => self.call(&name, at, Vec::new()),
            Kind::Name(name) => self.name(name, at),
            Kind::Sign("(") => {
                let node = self.sequence()?;
                self.expect(")")?;
                Ok(node)
            }
            Kind::Sign("[") => Ok(Node::List(self.list("]")?)),
            Kind::Sign("#") => self.pointer(at),
            Kind::Sign("{") => Err(Problem::syntax(at, "a map is not served in a formula")),
            _ => {
                self.at -= 1;
                Err(self.unexpected(wanted))
            }
        }
    }

    fn name(&mut self, name: String, at: usize) -> Result<Node> {
        match name.as_str() {
            "true" => return Ok(Node::Literal(Value::Bool(true))),
            "false" => return Ok(Node::Literal(Value::Bool(false))),
            "nil" => return Ok(Node::Literal(Value::Nil)),
            "$env" => return self.environment(at),
            _ => {}
        }
        if self.variables.contains(&name) { Ok(Node::Variable(name)) } else { self.trigger(name, at) }
    }

    fn trigger(&self, name: String, at: usize) -> Result<Node> {
        if self.triggers.contains(name.as_str()) {
            return Ok(Node::Trigger(name));
        }
        let names: Vec<_> = self.triggers.iter().copied().collect();
        let known = if names.is_empty() { "no trigger has a name".to_owned() } else { names.join(", ") };
        let what = format!("unknown name {name}; the triggers that have one, cpu and memory apart: {known}");
        Err(Problem::syntax(at, what))
    }

    /// `$env["name"]`, for names that are no identifiers.
    fn environment(&mut self, at: usize) -> Result<Node> {
        self.expect("[")?;
        let Kind::Text(name) = self.peek().clone() else { return Err(self.unexpected("a trigger's name in quotes")) };
        self.at += 1;
        self.expect("]")?;
        self.trigger(name, at)
    }

    fn pointer(&mut self, at: usize) -> Result<Node> {
        let Some(is_reduce) = self.predicates.last().copied() else {
            return Err(Problem::syntax(at, "# stands only in the predicate of a function such as filter"));
        };
        let Kind::Name(name) = self.peek().clone() else { return Ok(Node::Element) };
        // Without a blank between, as in #index.
        if self.position() != at + 1 {
            return Ok(Node::Element);
        }
        self.at += 1;
        match name.as_str() {
            "index" => Ok(Node::Index),
            "acc" if is_reduce => Ok(Node::Accumulated),
            _ => Err(Problem::syntax(at, format!("unknown name #{name} here"))),
        }
    }

    /// Parts with commas between them, up to `end`.
    fn list(&mut self, end: &'static str) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        while !self.takes(end) {
            if !nodes.is_empty() {
                self.expect(",")?;
                if self.takes(end) {
                    break;
                }
            }
            nodes.push(self.expression(0)?);
        }
        Ok(nodes)
    }

    /// A call of `name`, whose first arguments are given.
    fn call(&mut self, name: &str, at: usize, mut arguments: Vec<Node>) -> Result<Node> {
        let Some(function) = Function::named(name) else {
            let known = Function::names().collect::<Vec<_>>().join(", ");
            return Err(Problem::syntax(at, format!("function {name} is not served in a formula; these are: {known}")));
        };
        self.expect("(")?;
        while !self.takes(")") {
            if self.tokens.get(self.at - 1).is_some_and(|token| token.kind != Kind::Sign("(")) {
                self.expect(",")?;
                if self.takes(")") {
                    break;
                }
            }
            let is_predicate = arguments.len() == 1 && function.predicate() != Predicate::Never;
            arguments.push(if is_predicate { self.predicate(function)? } else { self.expression(0)? });
        }
        let (least, most) = function.arguments();
        if arguments.len() < least || arguments.len() > most {
            return Err(Problem::syntax(at, format!("function {name} takes {}", Function::described(least, most))));
        }
        Ok(Node::Call(function, arguments))
    }

    /// A predicate, with or without braces.
    fn predicate(&mut self, function: Function) -> Result<Node> {
        self.predicates.push(function == Function::Reduce);
        let node = if self.sign() == "{" { self.block() } else { self.expression(0) };
        self.predicates.pop();
        node
    }

    /// Indices and slices behind a part.
    fn postfix(&mut self, mut node: Node) -> Result<Node> {
        loop {
            if matches!(self.sign(), "." | "?.") {
                return Err(Problem::syntax(self.position(), "fields are not served in a formula"));
            }
            if !self.takes("[") {
                return Ok(node);
            }
            self.count()?;
            let from = if self.sign() == ":" { None } else { Some(boxed(self.expression(0)?)) };
            node = if self.takes(":") {
                let to = if self.sign() == "]" { None } else { Some(boxed(self.expression(0)?)) };
                Node::Slice(boxed(node), from, to)
            } else {
                let Some(index) = from else { return Err(self.unexpected("an index")) };
                Node::Item(boxed(node), index)
            };
            self.expect("]")?;
        }
    }
}
