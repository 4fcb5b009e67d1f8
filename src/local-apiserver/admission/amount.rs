//! Exact quantities: sums and comparisons, written as Kubernetes writes them.

use serde_json::Value;

/// A quantity in thousandths, and whether it is written in powers of 1024.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) thousandths: i128,
    binary: bool,
}

const DECIMAL: [(&str, u32); 6] = [("k", 1), ("M", 2), ("G", 3), ("T", 4), ("P", 5), ("E", 6)];
const BINARY: [(&str, u32); 6] = [("Ki", 1), ("Mi", 2), ("Gi", 3), ("Ti", 4), ("Pi", 5), ("Ei", 6)];

impl Amount {
    /// So many whole things.
    pub(crate) fn count(number: usize) -> Self {
        Self { thousandths: i128::try_from(number).unwrap_or(i128::MAX / 1000) * 1000, binary: false }
    }

    /// A quantity as JSON has it; `None` for what is none. Parts of thousandths count as one.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let negative = whole.starts_with('-');
        let digits = format!("{}{fraction}", whole.trim_start_matches(['+', '-']));
        let mantissa: i128 = digits.parse().ok()?;
        let places = u32::try_from(fraction.len()).ok()?;
        let find = |table: &[(&str, u32)]| table.iter().find(|(name, _)| *name == suffix).map(|(_, power)| *power);
        let (numerator, denominator) = match suffix {
            "" => (1000, 1),
            "m" => (1, 1),
            "u" => (1, 1000),
            "n" => (1, 1_000_000),
            _ if find(&BINARY).is_some() => (1000 * 1024_i128.checked_pow(find(&BINARY)?)?, 1),
            _ if find(&DECIMAL).is_some() => (1000 * 1000_i128.checked_pow(find(&DECIMAL)?)?, 1),
            _ => (1000 * 10_i128.checked_pow(suffix.strip_prefix(['e', 'E'])?.parse().ok()?)?, 1),
        };
        let denominator = denominator * 10_i128.checked_pow(places)?;
        let product = mantissa.checked_mul(numerator)?;
        let thousandths = product / denominator + i128::from(product % denominator != 0);
        let binary = suffix.ends_with('i');
        Some(Self { thousandths: if negative { -thousandths } else { thousandths }, binary })
    }

    /// The sum, written as the first of both that is not zero.
    pub(crate) fn plus(self, other: Self) -> Self {
        let binary = if self.thousandths == 0 { other.binary } else { self.binary };
        Self { thousandths: self.thousandths + other.thousandths, binary }
    }

    /// What is more in `self` than in `other`, at least nothing.
    pub(crate) fn beyond(self, other: Self) -> Self {
        Self { thousandths: (self.thousandths - other.thousandths).max(0), binary: self.binary }
    }

    /// The larger one.
    pub(crate) fn or_more(self, other: Self) -> Self {
        if other.thousandths > self.thousandths { other } else { self }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.thousandths == 0 {
            return f.write_str("0");
        }
        if self.thousandths % 1000 != 0 {
            return write!(f, "{}m", self.thousandths);
        }
        let whole = self.thousandths / 1000;
        let (base, table) =
            if self.binary && whole.abs() >= 1024 { (1024_i128, &BINARY) } else { (1000_i128, &DECIMAL) };
        for (suffix, power) in table.iter().rev() {
            let unit = base.pow(*power);
            if whole % unit == 0 {
                return write!(f, "{}{suffix}", whole / unit);
            }
        }
        write!(f, "{whole}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_in_their_shortest_form() {
        let shown = |text: &str| Amount::of(&text.into()).unwrap().to_string();
        for (given, canonical) in [
            ("1000m", "1"),
            ("0.25", "250m"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("1000", "1k"),
            ("1.5", "1500m"),
            ("1.5Gi", "1536Mi"),
            ("2e3", "2k"),
            ("100n", "1m"),
            ("0", "0"),
            ("512Ki", "512Ki"),
        ] {
            assert_eq!(shown(given), canonical, "{given}");
        }
        assert_eq!(Amount::of(&"many".into()), None);
        let sum = Amount::of(&"1Gi".into()).unwrap().plus(Amount::of(&"512Mi".into()).unwrap());
        assert_eq!((sum.to_string(), Amount::count(3).to_string()), ("1536Mi".to_owned(), "3".to_owned()));
    }
}
