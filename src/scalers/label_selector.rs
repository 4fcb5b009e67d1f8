//! The syntax of a label selector as `kubectl -l` takes it, so that one that cannot be used is refused before it is asked for
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>).

/// Passes if `text` is a selector with at least one requirement.
///
/// # Errors
///
/// What is wrong with it, for a person.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    loop {
        let end = end_of_requirement(rest);
        requirement(rest[..end].trim())?;
        if end == rest.len() {
            return Ok(());
        }
        rest = &rest[end + 1..];
    }
}

/// Where the comma stands that ends the first requirement; those in parentheses separate values.
fn end_of_requirement(text: &str) -> usize {
    let mut is_inside = false;
    let comma = text.find(|c: char| {
        is_inside = (is_inside || c == '(') && c != ')';
        c == ',' && !is_inside
    });
    comma.unwrap_or(text.len())
}

fn requirement(text: &str) -> Result<(), String> {
    if let Some(absent) = text.strip_prefix('!') {
        return key(absent.trim());
    }
    if let Some(at) = text.find(['=', '!', '<', '>']) {
        let (name, operation) = text.split_at(at);
        key(name.trim())?;
        let given =
            ["==", "!=", "=", "<", ">"].iter().find_map(|operator| Some((operator, operation.strip_prefix(operator)?)));
        let Some((operator, given)) = given else { return Err(format!("{text:?} has no operator")) };
        let given = given.trim();
        return match *operator {
            "<" | ">" if given.parse::<i64>().is_err() => Err(format!("{given:?} is no whole number")),
            "<" | ">" => Ok(()),
            _ => value(given),
        };
    }
    let (name, set) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    key(name)?;
    let set = set.trim();
    if set.is_empty() {
        return Ok(());
    }
    let list = set.strip_prefix("notin").or_else(|| set.strip_prefix("in")).map(str::trim);
    let list = list.and_then(|list| list.strip_prefix('(')?.strip_suffix(')'));
    let list =
        list.ok_or_else(|| format!("{text:?} is no requirement; write `key`, `!key`, `key=value`, or `key in (a,b)`"))?;
    list.split(',').try_for_each(|one| value(one.trim()))
}

/// A label's key: an optional DNS prefix and a name.
fn key(text: &str) -> Result<(), String> {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let is_part = |part: &str| {
        let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !part.is_empty() && part.chars().all(is_inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    let is_prefix = prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_part));
    if is_prefix && !name.is_empty() && is_name(name) { Ok(()) } else { Err(format!("{text:?} is no label key")) }
}

/// A label's value, which may be empty.
fn value(text: &str) -> Result<(), String> {
    if is_name(text) { Ok(()) } else { Err(format!("{text:?} is no label value")) }
}

fn is_name(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_end = |c: char| c.is_ascii_alphanumeric();
    text.len() <= 63
        && text.chars().all(is_inner)
        && text.chars().next().is_none_or(is_end)
        && text.chars().last().is_none_or(is_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selectors_of_kubectl_pass() {
        for good in [
            "app=web",
            "app == web",
            "app!=web",
            "app",
            "!app",
            "! app",
            "app in (web, api),tier notin (front)",
            "app in(web)",
            "a=b,c",
            "app.kubernetes.io/name=web",
            "app=",
            "app in (,web)",
            "count>3",
            "count < 10",
            " app=web ",
            "in",
            "notin=1",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        let long = format!("app={}", "x".repeat(64));
        for wrong in [
            "",
            " ",
            ",",
            "a=b,",
            "=web",
            "app=we b",
            "app=-web",
            "app in web",
            "app in (web",
            "app near (web)",
            "-app",
            "App.io_/x=1",
            "a/b/c=1",
            "count>many",
            "app!web",
            &long,
            "/name",
            "app=web=api",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
