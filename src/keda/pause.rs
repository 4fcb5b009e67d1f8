//! The annotations by which a person overrides the triggers (`docs/rules.md#keda-pauses`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Error, Result, naming};

/// A full pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Pause {
    /// The target stays as it is.
    AsIs,
    /// The target is held at so many replicas.
    At(i32),
}

/// The pause that the annotations ask for; `paused-replicas` wins over `paused`.
///
/// # Errors
///
/// [`Error::PausedReplicas`] if `paused-replicas` is no integer of 0 or more.
pub fn requested(annotations: &BTreeMap<String, String>) -> Result<Option<Pause>> {
    if let Some(text) = annotations.get(naming::PAUSED_REPLICAS) {
        return match text.parse::<i32>() {
            Ok(count) if count >= 0 => Ok(Some(Pause::At(count))),
            _ => Err(Error::PausedReplicas(text.clone())),
        };
    }
    Ok(flag(annotations, naming::PAUSED).then_some(Pause::AsIs))
}

/// Whether a ScaledJob makes no Jobs, which knows no count to be held at.
pub fn is_paused(annotations: &BTreeMap<String, String>) -> bool {
    flag(annotations, naming::PAUSED)
}

/// Whether scaling in is held.
pub fn scale_in(annotations: &BTreeMap<String, String>) -> bool {
    flag(annotations, naming::PAUSED_SCALE_IN)
}

/// Whether scaling out is held.
pub fn scale_out(annotations: &BTreeMap<String, String>) -> bool {
    flag(annotations, naming::PAUSED_SCALE_OUT)
}

/// Whether scaling is held in one direction, or in each of both.
pub fn one_way(annotations: &BTreeMap<String, String>) -> bool {
    scale_in(annotations) || scale_out(annotations)
}

/// Whether the object counts as active whatever its triggers say.
pub fn force_activation(annotations: &BTreeMap<String, String>) -> bool {
    flag(annotations, naming::FORCE_ACTIVATION)
}

/// Absent is false; what is not one of Go's words for false is true, as in KEDA.
fn flag(annotations: &BTreeMap<String, String>, name: &str) -> bool {
    let is_false = |text: &str| matches!(text, "0" | "f" | "F" | "FALSE" | "false" | "False");
    annotations.get(name).is_some_and(|text| !is_false(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_count_wins_over_the_flag_and_a_senseless_flag_is_true() {
        let both = annotations(&[(naming::PAUSED, "true"), (naming::PAUSED_REPLICAS, "2")]);
        assert_eq!(requested(&both), Ok(Some(Pause::At(2))));
        assert_eq!(requested(&annotations(&[(naming::PAUSED, "yes please")])), Ok(Some(Pause::AsIs)));
        assert_eq!(requested(&annotations(&[(naming::PAUSED, "False")])), Ok(None));
        assert_eq!(requested(&annotations(&[])), Ok(None));
    }

    #[test]
    fn a_count_that_is_none_is_an_error() {
        for text in ["", "two", "-1", "99999999999"] {
            let found = requested(&annotations(&[(naming::PAUSED_REPLICAS, text)]));
            assert_eq!(found, Err(Error::PausedReplicas(text.into())));
        }
    }
}
