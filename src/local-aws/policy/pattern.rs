//! Patterns with `*`, `?` and policy variables.

use super::context::Context;

/// `arn:partition:service:region:account:resource`.
pub(super) const ARN_PARTS: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    Any,
    One,
    Exactly(char),
}

/// Whether `text` matches `pattern`; variables are replaced from `context`, and what they stand for is literal.
///
/// A variable without a value and without a default makes the pattern match nothing.
pub(super) fn matches(pattern: &str, text: &str, context: &Context) -> bool {
    tokens(pattern, context, true).is_some_and(|tokens| wild(&tokens, &text.chars().collect::<Vec<_>>()))
}

/// As [`matches()`], without regard to case.
pub(super) fn matches_caseless(pattern: &str, text: &str, context: &Context) -> bool {
    tokens(&pattern.to_lowercase(), context, true)
        .is_some_and(|tokens| wild(&tokens, &text.to_lowercase().chars().collect::<Vec<_>>()))
}

/// The text that `pattern` stands for once variables are replaced, wildcards being plain characters.
pub(super) fn expand(pattern: &str, context: &Context) -> Option<String> {
    let literal = tokens(pattern, context, false)?;
    Some(literal.iter().filter_map(|token| if let Token::Exactly(c) = token { Some(*c) } else { None }).collect())
}

/// Whether `text` is an ARN that `pattern` covers. Each of the six parts is matched by itself, so that a wildcard does
/// not reach over a colon; parts left out at the end stand for anything (`arn:aws:sqs` is `arn:aws:sqs:*:*:*`).
pub(super) fn matches_arn(pattern: &str, text: &str, context: &Context) -> bool {
    if pattern == "*" {
        return true;
    }
    let found: Vec<_> = text.splitn(ARN_PARTS, ':').collect();
    let expected = arn_parts(pattern);
    found.len() == ARN_PARTS
        && found.iter().enumerate().all(|(at, part)| matches(expected.get(at).unwrap_or(&"*"), part, context))
}

/// Up to six parts of an ARN pattern; a colon inside `${…}` belongs to the variable's name.
pub(super) fn arn_parts(pattern: &str) -> Vec<&str> {
    let (mut parts, mut start, mut in_variable) = (Vec::new(), 0, false);
    for (at, c) in pattern.char_indices() {
        match c {
            '$' if pattern[at..].starts_with("${") => in_variable = true,
            '}' => in_variable = false,
            ':' if !in_variable && parts.len() < ARN_PARTS - 1 => {
                parts.push(&pattern[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&pattern[start..]);
    parts
}

fn tokens(pattern: &str, context: &Context, wildcards: bool) -> Option<Vec<Token>> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("${")
            && let Some(end) = rest.find('}')
        {
            tokens.extend(variable(&rest[2..end], context)?.chars().map(Token::Exactly));
            rest = &rest[end + 1..];
            continue;
        }
        tokens.push(match c {
            '*' if wildcards => Token::Any,
            '?' if wildcards => Token::One,
            other => Token::Exactly(other),
        });
        rest = &rest[c.len_utf8()..];
    }
    Some(tokens)
}

fn variable(name: &str, context: &Context) -> Option<String> {
    if matches!(name, "*" | "?" | "$") {
        return Some(name.to_owned());
    }
    let (key, default) = match name.split_once(',') {
        Some((key, default)) => (key.trim(), Some(default.trim().trim_matches('\'').to_owned())),
        None => (name.trim(), None),
    };
    match context.get(key) {
        Some([value]) => Some(value.clone()),
        _ => default,
    }
}

fn wild(pattern: &[Token], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Token::Any) => {
                retry = Some((p, t));
                p += 1;
            }
            Some(Token::One) => {
                p += 1;
                t += 1;
            }
            Some(Token::Exactly(c)) if *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    p = star + 1;
                    t = from + 1;
                    retry = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|token| *token == Token::Any)
}
