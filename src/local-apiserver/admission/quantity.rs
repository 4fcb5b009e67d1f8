//! Quantities such as `250m` and `1Gi`: what is one, and which of two is larger.

/// What the decoder says of a text that is no quantity.
const RULE: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// The value of a quantity.
pub(crate) fn parse(text: &str) -> Result<f64, &'static str> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let letters = suffix.find(|c: char| !"eEinumkKMGTP".contains(c)).unwrap_or(suffix.len());
    let rest = &suffix[letters..];
    let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    if number.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        return Err(RULE);
    }
    let number: f64 = number.parse().map_err(|_| RULE)?;
    let factor = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        other => match other.strip_prefix(['e', 'E']).and_then(|exponent| exponent.parse::<i32>().ok()) {
            Some(exponent) => 10.0_f64.powi(exponent),
            None => return Err("unable to parse quantity's suffix"),
        },
    };
    Ok(number * factor)
}

/// The value of a quantity as JSON has it, a text or a number.
pub(crate) fn of(value: &serde_json::Value) -> Option<f64> {
    value.as_str().map_or_else(|| value.as_f64(), |text| parse(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_numbers_with_a_suffix() {
        assert_eq!(
            (parse("250m"), parse("1Ki"), parse("2e3"), parse("-1")),
            (Ok(0.25), Ok(1024.0), Ok(2000.0), Ok(-1.0))
        );
        assert_eq!((parse("5%"), parse("many"), parse("")), (Err(RULE), Err(RULE), Err(RULE)));
        assert!(parse("1Q").is_err() && parse("1mm").is_err());
    }
}
