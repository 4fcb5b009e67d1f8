//! Kubernetes resource quantities, as far as the controllers calculate with them: thousandths, rounded up.

/// A quantity in thousandths (`MilliValue` of the Go library: rounded up). `None` if the text is no quantity.
pub(crate) fn to_milli(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.find(|letter: char| !(letter.is_ascii_digit() || "+-.".contains(letter))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (base, exponent) = scale(suffix)?;
    let negative = number.starts_with('-');
    let number = number.trim_start_matches(['+', '-']);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    // mantissa × 10^-fraction × base^exponent × 1000, kept exact until the last division.
    let (mut above, mut below) = (mantissa.checked_mul(1000)?, 10_i128.checked_pow(fraction.len() as u32)?);
    let factor = base.checked_pow(exponent.unsigned_abs())?;
    if exponent < 0 {
        below = below.checked_mul(factor)?;
    } else {
        above = above.checked_mul(factor)?;
    }
    let rounded = if negative { -(above / below) } else { (above + below - 1) / below };
    Some(rounded)
}

fn scale(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "" => (10, 0),
        "n" => (10, -9),
        "u" => (10, -6),
        "m" => (10, -3),
        "k" => (10, 3),
        "M" => (10, 6),
        "G" => (10, 9),
        "T" => (10, 12),
        "P" => (10, 15),
        "E" => (10, 18),
        "Ki" => (1024, 1),
        "Mi" => (1024, 2),
        "Gi" => (1024, 3),
        "Ti" => (1024, 4),
        "Pi" => (1024, 5),
        "Ei" => (1024, 6),
        exponent => (10, exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

/// Thousandths in canonical decimal form: `5`, `2500m`, `20k`.
pub(crate) fn from_milli(milli: i128) -> String {
    if milli == 0 {
        return "0".to_owned();
    }
    if milli % 1000 != 0 {
        return format!("{milli}m");
    }
    let mut whole = milli / 1000;
    let mut suffix = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        if whole % 1000 != 0 {
            break;
        }
        whole /= 1000;
        suffix = next;
    }
    format!("{whole}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_become_thousandths_rounded_up() {
        for (text, milli) in [
            ("5", 5000),
            ("2500m", 2500),
            ("0.5", 500),
            ("1k", 1_000_000),
            ("256Mi", 268_435_456_000),
            ("1e3", 1_000_000),
            ("100u", 1),
            ("1.5Gi", 1_610_612_736_000),
        ] {
            assert_eq!(to_milli(text), Some(milli), "{text}");
        }
        for text in ["", "abc", "5x", ".", "1e"] {
            assert_eq!(to_milli(text), None, "{text}");
        }
    }

    #[test]
    fn thousandths_print_canonically() {
        for (milli, text) in
            [(0, "0"), (5000, "5"), (2500, "2500m"), (20_000_000, "20k"), (1_500_000, "1500"), (1, "1m")]
        {
            assert_eq!(from_milli(milli), text);
        }
    }
}
