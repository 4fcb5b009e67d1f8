//! Two answers, leaf by leaf.

use std::collections::BTreeSet;

use serde_json::Value;

/// What stands for a member that is not there.
pub(crate) const MISSING: &str = "(nothing)";

/// A line for each leaf in which the answer is not the recorded one.
pub(crate) fn differences(recorded: &Value, answered: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if recorded["status"] == answered["status"] {
        leaves(recorded, answered, "", &mut found);
    } else {
        // That the bodies differ too says nothing more.
        found.push(format!("\n    recorded {}\n    answered {}", summary(recorded), summary(answered)));
    }
    found
}

fn summary(answer: &Value) -> String {
    let text = answer["body"]["message"].as_str().map_or_else(|| answer.to_string(), str::to_owned);
    format!("{} {}", answer["status"], text.chars().take(600).collect::<String>())
}

fn leaves(recorded: &Value, answered: &Value, path: &str, found: &mut Vec<String>) {
    let missing = Value::from(MISSING);
    match (recorded, answered) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                let pair = [one, other].map(|members| members.get(name).unwrap_or(&missing));
                leaves(pair[0], pair[1], &format!("{path}/{name}"), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (left, right)) in one.iter().zip(other).enumerate() {
                leaves(left, right, &format!("{path}/{index}"), found);
            }
        }
        _ if recorded != answered => {
            found.push(format!(" at {path}\n    recorded {recorded}\n    answered {answered}"));
        }
        _ => {}
    }
}
