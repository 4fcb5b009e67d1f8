//! Resource quantities, as far as the controllers calculate with them: in thousandths, rounded up.

use local_apiserver::Quantity;

/// A quantity in thousandths. `None` if the text is no quantity.
pub(crate) fn to_milli(text: &str) -> Option<i128> {
    Quantity::parse(text).ok().map(Quantity::milli)
}

/// Thousandths in canonical decimal form: `5`, `2500m`, `20k`.
pub(crate) fn from_milli(milli: i128) -> String {
    Quantity::from_milli(milli).to_string()
}
