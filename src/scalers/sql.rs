//! What the triggers `postgresql` and `mysql` share: a query that gives one number.

use std::time::Duration;

/// Longest wait for an answer with all that it takes to connect, real time.
pub(crate) const READ_LIMIT: Duration = Duration::from_secs(20);

/// The number in the first row, which is the only one that counts: `None` without a row, its columns with `None` for NULL.
pub(crate) fn number(row: Option<&[Option<&str>]>) -> Result<f64, String> {
    match row {
        None => Err("the query gives no row; write one that always gives a number, such as SELECT COUNT(*)".to_owned()),
        Some([None]) => {
            Err("the query gives NULL; write one that gives a number, such as COALESCE(SUM(n), 0)".to_owned())
        }
        Some([Some(text)]) => {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| format!("the query gives {text:?}, which is no number"))
        }
        Some(columns) => Err(format!("the query gives {} columns; write one that gives one number", columns.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_number_is_a_value() {
        assert_eq!(number(Some(&[Some("12.5")])), Ok(12.5));
        assert_eq!(number(Some(&[Some("-3")])), Ok(-3.0));
        for (row, part) in [
            (None, "no row"),
            (Some(&[None][..]), "NULL"),
            (Some(&[Some("NaN")][..]), "no number"),
            (Some(&[Some("t")][..]), "no number"),
            (Some(&[Some("1"), Some("2")][..]), "2 columns"),
        ] {
            let problem = number(row).unwrap_err();
            assert!(problem.contains(part), "{problem}");
        }
    }
}
