//! Texts with wildcards: `*` stands for any number of characters, `?` for one.

/// Whether `text` is what `pattern` describes.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star stood, and how far the text was then: it may stand for one character more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|left| *left == '*')
}

/// The same for names of actions, in which case does not count.
pub(crate) fn matches_action(pattern: &str, action: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

/// The same for ARNs: each of the six parts by itself, so that no `*` reaches over a colon of the first five.
pub(crate) fn matches_arn(pattern: &str, arn: &str) -> bool {
    let (wanted, found): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| matches(wanted, found))
}

/// Whether it names a variable, which stands for something of each request.
pub(crate) fn has_variable(pattern: &str) -> bool {
    pattern.contains("${")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        for (pattern, text, is_match) in [
            ("*", "", true),
            ("sqs:*", "sqs:SendMessage", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("**x", "x", true),
            ("", "x", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(matches(pattern, text), is_match, "{pattern} {text}");
        }
        assert!(matches_action("SQS:get*", "sqs:GetQueueAttributes"));
    }

    #[test]
    fn no_star_of_an_arn_reaches_over_its_first_colons() {
        let queue = "arn:aws:sqs:eu-west-1:111122223333:orders";
        assert!(matches_arn("arn:aws:sqs:*:*:ord*", queue) && matches_arn("arn:*:sqs:eu-west-1:111122223333:*", queue));
        assert!(!matches_arn("arn:aws:*:orders", queue) && !matches_arn("*", queue));
    }
}
