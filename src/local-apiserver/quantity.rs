//! Resource quantities such as `250m` and `1Gi`: read, compared, added and written, all exactly.
//!
//! The rules are those of Kubernetes' own decoder (kubernetes/apimachinery, `pkg/api/resource/quantity.go`): nothing finer than
//! a nano, finer parts round away from zero; binary quantities end at 2^63 - 1; the canonical form has no fraction and the
//! largest suffix that keeps the value.

use std::fmt;

use serde_json::Value;

/// What the decoder says of a text that is no quantity.
const RULE: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const SUFFIX: &str = "unable to parse quantity's suffix";
const NUMERIC: &str = "unable to parse numeric part of quantity";
/// The exponent of a nano.
const FINEST: i32 = -9;

const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [(&str, u32); 6] = [("Ki", 1), ("Mi", 2), ("Gi", 3), ("Ti", 4), ("Pi", 5), ("Ei", 6)];

/// How a quantity was written, and so is written again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Format {
    #[default]
    Decimal,
    Binary,
    Exponent,
}

/// `mantissa` × 10^`scale`; the scale is that of a nano or larger.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantity {
    mantissa: i128,
    scale: i32,
    format: Format,
}

impl Quantity {
    /// So many whole things.
    pub fn count(number: usize) -> Self {
        Self { mantissa: i128::try_from(number).unwrap_or(i128::MAX), ..Self::default() }
    }

    /// So many thousandths.
    pub fn from_milli(milli: i128) -> Self {
        Self { mantissa: milli, scale: -3, format: Format::Decimal }
    }

    /// Reads a quantity.
    ///
    /// # Errors
    ///
    /// The decoder's words for a text that is none.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let is_negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, rest) = digits(unsigned);
        let (fraction, suffix) = rest.strip_prefix('.').map_or(("", rest), digits);
        let letters = suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
        if text.is_empty() || !digits(letters.strip_prefix(['+', '-']).unwrap_or(letters)).1.is_empty() {
            return Err(RULE);
        }
        let (exponent, power, format) = factor(suffix).ok_or(SUFFIX)?;
        // No digits at all are a zero.
        let number: i128 = format!("0{whole}{fraction}").parse().map_err(|_| NUMERIC)?;
        let places = i32::try_from(fraction.len()).map_err(|_| NUMERIC)?;
        let mut mantissa = number.checked_mul(1024_i128.pow(power)).ok_or(NUMERIC)?;
        let mut scale = exponent.saturating_sub(places);
        if scale < FINEST {
            mantissa = rounded_up(mantissa, scale.abs_diff(FINEST));
            scale = FINEST;
        }
        let mut found = Self { mantissa, scale, format };
        if format == Format::Binary {
            let most = i128::from(i64::MAX);
            if found.nanos() > most * 1_000_000_000 {
                (found.mantissa, found.scale) = (most, 0);
            }
        }
        found.mantissa = if is_negative { -found.mantissa } else { found.mantissa };
        Ok(found)
    }

    /// The quantity that JSON has as a text or a number; `None` for what is none.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text).ok(),
            Value::Number(number) => Self::parse(&number.to_string()).ok(),
            _ => None,
        }
    }

    /// In nanos, at the most what the type holds.
    pub fn nanos(self) -> i128 {
        let shift = self.scale.abs_diff(FINEST);
        let limit = if self.mantissa < 0 { i128::MIN } else { i128::MAX };
        match 10_i128.checked_pow(shift) {
            _ if self.mantissa == 0 => 0,
            Some(factor) => self.mantissa.checked_mul(factor).unwrap_or(limit),
            None => limit,
        }
    }

    /// In thousandths, rounded up (`MilliValue` of the Go library).
    pub fn milli(self) -> i128 {
        let nanos = self.nanos();
        nanos.div_euclid(1_000_000) + i128::from(nanos.rem_euclid(1_000_000) != 0)
    }

    /// The sum, written as the first of both that is not zero.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let format = if self.mantissa == 0 { other.format } else { self.format };
        Self { mantissa: self.nanos().saturating_add(other.nanos()), scale: FINEST, format }
    }

    /// What is more in `self` than in `other`, at least nothing.
    #[must_use]
    pub fn beyond(self, other: Self) -> Self {
        let more = self.nanos().saturating_sub(other.nanos()).max(0);
        Self { mantissa: more, scale: FINEST, format: self.format }
    }

    /// The larger one.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        if other.nanos() > self.nanos() { other } else { self }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut mantissa, mut scale) = (self.mantissa, self.scale);
        if mantissa == 0 {
            return f.write_str("0");
        }
        let nanos = self.nanos();
        let whole = nanos / 1_000_000_000;
        if self.format == Format::Binary && nanos % 1_000_000_000 == 0 && whole.abs() >= 1024 {
            let fits = |(_, power): &&(&str, u32)| whole % 1024_i128.pow(*power) == 0;
            let (suffix, power) = BINARY.iter().rev().find(fits).copied().unwrap_or(("", 0));
            return write!(f, "{}{suffix}", whole / 1024_i128.pow(power));
        }
        while mantissa % 10 == 0 {
            (mantissa, scale) = (mantissa / 10, scale + 1);
        }
        // The exponent is a multiple of three.
        let shift = scale.rem_euclid(3);
        scale -= shift;
        mantissa = mantissa.saturating_mul(10_i128.pow(shift.unsigned_abs()));
        match DECIMAL.iter().find(|(_, exponent)| *exponent == scale) {
            _ if self.format == Format::Exponent && scale != 0 => write!(f, "{mantissa}e{scale}"),
            Some((suffix, _)) => write!(f, "{mantissa}{suffix}"),
            None => write!(f, "{mantissa}e{scale}"),
        }
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The power of ten, the power of 1024 and the format that a suffix stands for.
fn factor(suffix: &str) -> Option<(i32, u32, Format)> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((*exponent, 0, Format::Decimal));
    }
    if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((0, *power, Format::Binary));
    }
    Some((suffix.strip_prefix(['e', 'E'])?.parse().ok()?, 0, Format::Exponent))
}

/// `number` × 10^-`places`, rounded up.
fn rounded_up(number: i128, places: u32) -> i128 {
    match 10_i128.checked_pow(places) {
        Some(below) => number / below + i128::from(number % below != 0),
        None => i128::from(number != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn quantities_are_written_in_their_canonical_form() {
        for (given, canonical) in [
            ("0", "0"),
            ("1000m", "1"),
            ("0.25", "250m"),
            ("1.5", "1500m"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("20000000m", "20k"),
            ("100n", "100n"),
            ("0.1n", "1n"),
            ("-0.5", "-500m"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("1.5Gi", "1536Mi"),
            ("512Ki", "512Ki"),
            ("0.5Ki", "512"),
            ("1025.5Ki", "1050112"),
            ("2e3", "2e3"),
            ("100e3", "100e3"),
            ("1000e3", "1e6"),
            ("12e1", "120"),
            ("1000E", "1e21"),
            ("16Ei", "9223372036854775807"),
            ("Mi", "0"),
        ] {
            assert_eq!(quantity(given).to_string(), canonical, "{given}");
        }
        assert_eq!(Quantity::from_milli(2500).to_string(), "2500m");
        assert_eq!(Quantity::count(3).to_string(), "3");
    }

    #[test]
    fn quantities_are_compared_and_added_exactly() {
        // Neither pair differs as a 64-bit float.
        assert!(quantity("9007199254740993").nanos() > quantity("9007199254740992").nanos());
        assert!(quantity("100000000000000000001n").nanos() > quantity("100000000000000000000n").nanos());
        assert_eq!(quantity("0.1").nanos() * 3, quantity("0.3").nanos());
        assert_eq!(quantity("1e40").nanos(), i128::MAX);
        assert_eq!(quantity("1Gi").plus(quantity("512Mi")).to_string(), "1536Mi");
        assert_eq!(Quantity::default().plus(quantity("1Ki")).to_string(), "1Ki");
        assert_eq!(quantity("3").beyond(quantity("2500m")).to_string(), "500m");
        assert_eq!(quantity("1").beyond(quantity("2")).to_string(), "0");
        assert_eq!((quantity("100u").milli(), quantity("1.5Gi").milli()), (1, 1_610_612_736_000));
    }

    #[test]
    fn what_is_none_is_refused_in_the_decoders_words() {
        for text in ["", "5%", "many", "1.2.3", "5x", "1 Gi"] {
            assert_eq!(Quantity::parse(text).unwrap_err(), RULE, "{text}");
        }
        for text in ["1mm", "1K", "1iM", "1e", "1ee3"] {
            assert_eq!(Quantity::parse(text).unwrap_err(), SUFFIX, "{text}");
        }
        assert!(Quantity::of(&Value::Null).is_none());
        assert_eq!(Quantity::of(&serde_json::json!(1.5)).map(Quantity::milli), Some(1500));
    }
}
