//! Keeping credentials out of what pods have written, before it is shown or recorded.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands where a credential was.
const HIDDEN: &str = "(hidden)";

/// `text` without what looks like a credential: AWS keys and session tokens, bearer and web identity tokens, signatures,
/// values of fields called password, secret or token, private keys.
pub fn redact(text: &str) -> String {
    let named = |found: &Captures<'_>| {
        // Names of errors, which words follow: `InvalidIdentityToken: Couldn't retrieve …`.
        let is_error = ["Invalid", "Expired", "Unrecognized", "Missing"].iter().any(|word| found[1].starts_with(word));
        if is_error { found[0].to_owned() } else { format!("{}{HIDDEN}", &found[1]) }
    };
    let text = NAMED.replace_all(text, named);
    let text = BEARER.replace_all(&text, |found: &Captures<'_>| format!("{}{HIDDEN}", &found[1]));
    let text = SHAPED.replace_all(&text, HIDDEN);
    // Forty characters are an AWS secret key's length; in hexadecimal they are a commit or a checksum.
    let secret = |found: &Captures<'_>| {
        let word = &found[0];
        let has = |test: fn(&char) -> bool| word.chars().any(|letter| test(&letter));
        let is_mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
        if is_mixed && word.len() == 40 { HIDDEN.to_owned() } else { word.to_owned() }
    };
    WORDS.replace_all(&text, secret).into_owned()
}

/// The same for lines that belong together: a key that spans several of them goes from all.
pub fn redact_lines(lines: &[String]) -> Vec<String> {
    let mut is_key = false;
    let line = |line: &String| {
        let begins = line.contains("-----BEGIN ") && line.contains("PRIVATE KEY");
        let ends = line.contains("-----END ") && line.contains("PRIVATE KEY");
        let hidden = (is_key && !begins) || ends || BODY.is_match(line);
        is_key = (is_key || begins) && !ends;
        if hidden && !begins { format!("  {HIDDEN}") } else { redact(line) }
    };
    lines.iter().map(line).collect()
}

/// The same for a text of several lines, each with its line feed.
pub fn redact_text(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    redact_lines(&lines).into_iter().map(|line| line + "\n").collect()
}

fn compiled(pattern: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "the patterns are constants, and a test compiles each")]
    Regex::new(pattern).expect("a constant pattern")
}

/// A name that promises a secret, and its value.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r#"(?ix)
        ( [\w.-]* (?: passw(?:or)?d | passwd | secret | token | credential | signature | api[_-]?key | private[_-]?key )
          (?: [_-]? (?: access [_-]? key | key | id ) )? [\w.-]*
          \\? ["']? \s* [=:] \s* \\? ["']? )
        ( [^\s"'\\,;&}\])]{4,} )"#,
    )
});
/// An HTTP authorization.
static BEARER: LazyLock<Regex> = LazyLock::new(|| compiled(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"));
/// Credentials that are known by their form: access key ids, JSON web tokens, EKS tokens, private keys.
static SHAPED: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?x) \b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}\b
        | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?
        | \bk8s-aws-v1\.[A-Za-z0-9_=-]+
        | -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY-----[^-]*(?:-----END\ [A-Z\ ]*PRIVATE\ KEY-----)?",
    )
});
/// A line of a key or certificate in PEM, which may be all that the end of a log holds of it.
static BODY: LazyLock<Regex> = LazyLock::new(|| compiled(r"^\s*[A-Za-z0-9+/]{60,76}={0,2}\s*$"));
/// Runs of the characters that AWS secret keys are made of.
static WORDS: LazyLock<Regex> = LazyLock::new(|| compiled(r"[A-Za-z0-9/+=]{40,}"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_is_left() {
        for (text, secret) in [
            ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalr"),
            (r#"{"SecretAccessKey":"abcd1234","x":1}"#, "abcd1234"),
            (r#"{\"SessionToken\":\"IQoJb3JpZ2luX2Vj\"}"#, "IQoJ"),
            ("key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY used", "wJalr"),
            ("signed by AKIAIOSFODNN7EXAMPLE", "AKIAIOSF"),
            ("ASIAIOSFODNN7EXAMPLE", "ASIA"),
            ("GET /?X-Amz-Security-Token=IQoJb3Jp&X-Amz-Signature=0a1b2c3d&x=1", "0a1b2c3d"),
            ("Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "eyJ"),
            ("token k8s-aws-v1.aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbQ", "aHR0"),
            ("db password: hunter22", "hunter22"),
            ("api_key='abcdef12'", "abcdef12"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ] {
            let shown = redact(text);
            assert!(!shown.contains(secret) && shown.contains(HIDDEN), "{text} became {shown}");
        }
    }

    #[test]
    fn a_key_over_several_lines_goes_from_all_of_them() {
        let body = "MIIEowIBAAKCAQEAx7Zk3m9Q0c5mJf3sYw1nUe8tVd2LqPz4RbHgXoKiWyTn6vA0";
        let whole = ["  -----BEGIN PRIVATE KEY-----", "  aGVsbG8", "  -----END PRIVATE KEY-----", "  after"];
        let lines = redact_lines(&whole.map(str::to_owned));
        assert!(!lines.concat().contains("aGVsbG8") && lines[3] == "  after", "{lines:?}");
        let end = [format!("  {body}"), "  aGVsbG8=".to_owned(), "  -----END RSA PRIVATE KEY-----".to_owned()];
        let lines = redact_lines(&end);
        assert!(!lines.concat().contains("MIIEow"), "{lines:?}");
        assert_eq!(redact_lines(&["  started".to_owned()]), ["  started"]);
    }

    #[test]
    fn ordinary_lines_stay_as_they_are() {
        for text in [
            "error: queue https://sqs.eu-central-1.amazonaws.com/123456789012/orders does not exist",
            "panicked at src/main.rs:3:5",
            "commit 0123456789abcdef0123456789abcdef01234567",
            "not authorized to perform: sts:AssumeRoleWithWebIdentity",
            "the token has expired",
            "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider",
            "ExpiredToken: Token included in the request is expired",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
