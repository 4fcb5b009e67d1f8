//! A path to a value in JSON or YAML, as triggers have it in `valueLocation`.

use std::borrow::Cow;

use serde_json::Value;

/// The keys of a path with dots between.
pub(crate) fn plain(written: &str) -> Vec<String> {
    written.split('.').map(str::to_owned).collect()
}

/// The parts of a GJSON path. What is more than keys, indices and the length of an array is refused by name.
pub(crate) fn gjson(written: &str) -> Result<Vec<String>, String> {
    let (mut keys, mut key, mut characters) = (Vec::new(), String::new(), written.chars());
    while let Some(c) = characters.next() {
        match c {
            '\\' => key.extend(characters.next()),
            '.' => keys.push(std::mem::take(&mut key)),
            '*' | '?' | '|' | '(' | ')' | '@' | '{' | '}' | '[' | ']' | '!' => {
                return Err(format!(
                    "valueLocation={written:?}: {c:?} of GJSON (wildcards, queries, modifiers, pipes and multipaths) is not \
                     served; write keys and indices such as queues.0.length, with \\ before the character if it is part of a key"
                ));
            }
            _ => key.push(c),
        }
    }
    keys.push(key);
    if keys.iter().rev().skip(1).any(|key| key == "#") {
        return Err(format!(
            "valueLocation={written:?}: # of GJSON is served only at the end, for the length of an array"
        ));
    }
    Ok(keys)
}

/// What is at the end of the keys. `#` is the length of an array.
pub(crate) fn found<'a>(whole: &'a Value, keys: &[String]) -> Option<Cow<'a, Value>> {
    let mut at = whole;
    for key in keys {
        at = match at {
            Value::Object(fields) => fields.get(key)?,
            Value::Array(elements) if key == "#" => return Some(Cow::Owned(elements.len().into())),
            Value::Array(elements) => elements.get(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(Cow::Borrowed(at))
}
