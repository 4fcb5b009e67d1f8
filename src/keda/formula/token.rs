//! The text of a formula as tokens.

use super::error::Problem;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Integer(i64),
    Float(f64),
    Text(String),
    /// A name, `true`, `false` and `nil` among them.
    Name(String),
    /// An operator, a bracket, or a word that is an operator.
    Sign(&'static str),
    End,
}

/// A token and the number of characters before it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: usize,
}

/// Longer ones before those that they begin with.
const SIGNS: [&str; 34] = [
    "**", "&&", "||", "==", "!=", "<=", ">=", "??", "?.", "..", "::", "+", "-", "*", "/", "%", "^", "<", ">", "!", "?",
    ":", ",", ";", ".", "#", "|", "=", "(", ")", "[", "]", "{", "}",
];
const WORDS: [&str; 11] =
    ["not", "and", "or", "in", "let", "if", "else", "matches", "contains", "startsWith", "endsWith"];

/// The tokens of `text`, the last of which is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut reader = Reader { characters: text.chars().collect(), at: 0 };
    let mut all = Vec::new();
    loop {
        reader.skip_blanks()?;
        let at = reader.at;
        let kind = reader.token()?;
        let is_end = kind == Kind::End;
        all.push(Token { kind, at });
        if is_end {
            return Ok(all);
        }
    }
}

struct Reader {
    characters: Vec<char>,
    at: usize,
}

fn is_of_name(c: char) -> bool {
    c == '_' || c == '$' || c.is_alphanumeric()
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn is_next(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == Some(c))
    }

    fn run(&mut self, takes: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek(0).is_some_and(&takes) {
            self.at += 1;
        }
        self.characters.get(start..self.at).unwrap_or_default().iter().collect()
    }

    fn skip_blanks(&mut self) -> Result<(), Problem> {
        loop {
            self.run(char::is_whitespace);
            if self.is_next("//") {
                self.run(|c| c != '\n');
            } else if self.is_next("/*") {
                let start = self.at;
                self.at += 2;
                while !self.is_next("*/") {
                    if self.peek(0).is_none() {
                        return Err(Problem::syntax(start, "the comment is not closed"));
                    }
                    self.at += 1;
                }
                self.at += 2;
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Kind, Problem> {
        let Some(first) = self.peek(0) else { return Ok(Kind::End) };
        let begins_fraction = first == '.' && self.peek(1).is_some_and(|c| c.is_ascii_digit());
        if first.is_ascii_digit() || begins_fraction {
            return self.number();
        }
        if matches!(first, '"' | '\'' | '`') {
            return self.text(first);
        }
        if is_of_name(first) {
            let name = self.run(is_of_name);
            return Ok(WORDS.iter().find(|word| **word == name).map_or(Kind::Name(name), |word| Kind::Sign(word)));
        }
        let sign = SIGNS.iter().find(|sign| self.is_next(sign));
        let sign = sign.ok_or_else(|| Problem::syntax(self.at, format!("{first:?} is no part of an expression")))?;
        self.at += sign.len();
        Ok(Kind::Sign(sign))
    }

    /// `42`, `1_000`, `0x2A`, `0o52`, `0b101`, `.5`, `1.5`, `2e3`.
    fn number(&mut self) -> Result<Kind, Problem> {
        let start = self.at;
        let radix = match (self.peek(0), self.peek(1)) {
            (Some('0'), Some('x' | 'X')) => 16,
            (Some('0'), Some('o' | 'O')) => 8,
            (Some('0'), Some('b' | 'B')) => 2,
            _ => 10,
        };
        let mut is_integer = true;
        let mut written = String::new();
        if radix == 10 {
            written.push_str(&self.run(|c| c.is_ascii_digit() || c == '_'));
            // Two dots are a range.
            if self.peek(0) == Some('.') && self.peek(1) != Some('.') {
                is_integer = false;
                self.at += 1;
                written.push('.');
                written.push_str(&self.run(|c| c.is_ascii_digit() || c == '_'));
            }
            if matches!(self.peek(0), Some('e' | 'E')) {
                is_integer = false;
                self.at += 1;
                written.push('e');
                if let Some(sign @ ('+' | '-')) = self.peek(0) {
                    self.at += 1;
                    written.push(sign);
                }
                written.push_str(&self.run(|c| c.is_ascii_digit() || c == '_'));
            }
        } else {
            self.at += 2;
            written.push_str(&self.run(|c| c.is_digit(radix) || c == '_'));
        }
        let rest = self.run(is_of_name);
        let written = written.replace('_', "");
        let number = if is_integer {
            i64::from_str_radix(&written, radix).ok().map(Kind::Integer)
        } else {
            written.parse().ok().filter(|number: &f64| number.is_finite()).map(Kind::Float)
        };
        number.filter(|_| rest.is_empty()).ok_or_else(|| Problem::syntax(start, "this number cannot be read"))
    }

    fn text(&mut self, quote: char) -> Result<Kind, Problem> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let next = self.peek(0).ok_or_else(|| Problem::syntax(start, "the text in quotes is not closed"))?;
            self.at += 1;
            match next {
                _ if next == quote => return Ok(Kind::Text(text)),
                '\\' if quote != '`' => text.push(self.escaped(start)?),
                _ => text.push(next),
            }
        }
    }

    fn escaped(&mut self, start: usize) -> Result<char, Problem> {
        let next = self.peek(0);
        self.at += 1;
        match next {
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some(same @ ('\\' | '"' | '\'' | '`')) => Ok(same),
            _ => Err(Problem::syntax(
                start,
                "the text in quotes has an escape other than \\n, \\t, \\r, \\\\ and quotes",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).unwrap().into_iter().map(|token| token.kind).filter(|kind| *kind != Kind::End).collect()
    }

    #[test]
    fn numbers_are_read_in_every_notation() {
        let table = [
            ("42", Kind::Integer(42)),
            ("1_000", Kind::Integer(1000)),
            ("0x2A", Kind::Integer(42)),
            ("0o52", Kind::Integer(42)),
            ("0b101010", Kind::Integer(42)),
            (".5", Kind::Float(0.5)),
            ("1.", Kind::Float(1.0)),
            ("2.5e-1", Kind::Float(0.25)),
            ("1E3", Kind::Float(1000.0)),
        ];
        for (text, wanted) in table {
            assert_eq!(kinds(text), [wanted], "{text}");
        }
        assert_eq!(kinds("1..3"), [Kind::Integer(1), Kind::Sign(".."), Kind::Integer(3)]);
        for text in ["1x", "0b12", "0x", "1e", "99999999999999999999", "1e999"] {
            assert!(matches!(tokens(text), Err(Problem::Syntax { at: 0, .. })), "{text}");
        }
    }

    #[test]
    fn comments_and_texts_end_where_they_should() {
        assert_eq!(kinds("a // b\n+ /* c */ d").len(), 3);
        assert_eq!(kinds(r#""a\n'" 'b"'"#), [Kind::Text("a\n'".into()), Kind::Text("b\"".into())]);
        for text in ["'a", "/* a", r#""\q""#, "a @ b"] {
            assert!(tokens(text).is_err(), "{text}");
        }
    }
}
