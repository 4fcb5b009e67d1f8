//! Numbers as Kubernetes quantities, in canonical decimal form.

/// `value` in thousandths (truncated toward zero) as a quantity: 5 -> `5`, 2.5 -> `2500m`, 20000 -> `20k`.
/// What is not a number, infinite or negative counts as zero, as in KEDA since 2.20.
pub(crate) fn rendered(value: f64) -> String {
    if !value.is_finite() || value <= 0.0 {
        return "0".to_owned();
    }
    // Quantities end at 2^63-1 in magnitude; the cast saturates there.
    let milli = (value * 1000.0) as i64;
    if milli % 1000 == 0 { canonical(milli / 1000) } else { format!("{milli}m") }
}

/// Whether `text` is a quantity as Kubernetes writes them, and greater than zero: `500m`, `0.5`, `128Mi`, `1e3`.
pub fn is_positive(text: &str) -> bool {
    const SUFFIXES: [&str; 15] = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi"];
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let exponent = suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| exponent.parse::<i16>().is_ok());
    let is_number = number.parse::<f64>().is_ok_and(|number| number > 0.0);
    is_number && (exponent || suffix == "Ei" || SUFFIXES.contains(&suffix))
}

fn canonical(mut whole: i64) -> String {
    let mut suffixes = ["", "k", "M", "G", "T", "P", "E"].into_iter();
    let mut suffix = suffixes.next().unwrap_or_default();
    while whole != 0 && whole % 1000 == 0 {
        let Some(next) = suffixes.next() else { break };
        suffix = next;
        whole /= 1000;
    }
    format!("{whole}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positive_quantities_are_recognised() {
        for text in ["1", "500m", "0.5", "128Mi", "1e3", "1E3", "2E", "2Ei", "+1", ".5"] {
            assert!(is_positive(text), "{text}");
        }
        for text in ["", "0", "0m", "-1", "Mi", "1 Mi", "1Mb", "much", "1.2.3", "e3"] {
            assert!(!is_positive(text), "{text}");
        }
    }

    #[test]
    fn values_are_truncated_to_thousandths_in_canonical_form() {
        let table = [
            (0.0, "0"),
            (5.0, "5"),
            (2.5, "2500m"),
            (1500.0, "1500"),
            (20_000.0, "20k"),
            (3_000_000.0, "3M"),
            (0.0009, "0"),
            (1.2349, "1234m"),
        ];
        for (value, text) in table {
            assert_eq!(rendered(value), text, "{value}");
        }
    }

    #[test]
    fn what_is_no_amount_is_zero() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -3.0] {
            assert_eq!(rendered(value), "0");
        }
    }
}
