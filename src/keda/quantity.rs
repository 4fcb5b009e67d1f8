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

/// The number that `text` writes as a quantity of Kubernetes; `None` if it is none: `500m` is a half, `1Ki` is 1024.
pub fn number(text: &str) -> Option<f64> {
    const FACTORS: [(&str, f64); 16] = [
        ("", 1.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
    ];
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (written, suffix) = unsigned.split_at(digits);
    let number: f64 = written.parse().ok()?;
    let factor = FACTORS.iter().find(|(name, _)| *name == suffix).map(|(_, factor)| *factor);
    let exponent = || suffix.strip_prefix(['e', 'E'])?.parse::<i16>().ok().map(|power| 10_f64.powi(power.into()));
    let number = number * factor.or_else(exponent)?;
    Some(if text.starts_with('-') { -number } else { number }).filter(|number| number.is_finite())
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
    fn the_number_of_a_quantity_is_that_of_its_suffix() {
        let table = [
            ("5", 5.0),
            ("500m", 0.5),
            ("-2", -2.0),
            ("1Ki", 1024.0),
            ("1e3", 1000.0),
            ("2k", 2000.0),
            ("1E", 1e18),
            ("+.5", 0.5),
        ];
        for (text, wanted) in table {
            assert_eq!(number(text), Some(wanted), "{text}");
        }
        for text in ["", "m", "1 k", "1Kb", "NaN", "inf", "1.2.3", "--1", "much", "1e99999", "9e999"] {
            assert_eq!(number(text), None, "{text}");
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
