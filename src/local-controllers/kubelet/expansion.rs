//! `$(VAR)` in env values, commands and arguments, exactly as Kubernetes expands it: `$$` is a dollar sign, references
//! that cannot be resolved stay as they are.

/// Expands references in `input` through `lookup`.
pub(super) fn expand(input: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(input.len());
    let mut rest = input;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            tail
        } else if let Some(inner) = after.strip_prefix('(') {
            if let Some((name, tail)) = inner.split_once(')') {
                out.push_str(&lookup(name).unwrap_or_else(|| format!("$({name})")));
                tail
            } else {
                out.push_str("$(");
                inner
            }
        } else {
            out.push('$');
            after
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_expand_as_kubernetes_documents() {
        let lookup = |name: &str| match name {
            "VAR_A" => Some("A".to_owned()),
            "VAR_EMPTY" => Some(String::new()),
            _ => None,
        };
        for (input, output) in [
            ("$(VAR_A)", "A"),
            ("___$(VAR_A)___", "___A___"),
            ("$$(VAR_A)", "$(VAR_A)"),
            ("$$$(VAR_A)", "$A"),
            ("$$$$(VAR_A)", "$$(VAR_A)"),
            ("$(MISSING)", "$(MISSING)"),
            ("f00-$(VAR_EMPTY)-", "f00--"),
            ("$(VAR_A", "$(VAR_A"),
            ("$VAR_A", "$VAR_A"),
            ("foo$", "foo$"),
            ("$?-$(VAR_A)", "$?-A"),
            ("\n", "\n"),
        ] {
            assert_eq!(expand(input, lookup), output, "{input}");
        }
    }
}
