//! The schedule of a CronJob: five fields, `@daily` and the like, or `@every DURATION`, in a time zone.
//!
//! The syntax is that of Kubernetes' cron library, which is narrower than croner's: no seconds, no years, no `L`, `W` or
//! `#`, no time zone inside the schedule. Source:
//! <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax>.

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

const NICKNAMES: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
/// What a field may be made of besides digits and names.
const SYMBOLS: &str = "*,-/?";
const NAMES: [&str; 19] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", "SUN", "MON", "TUE", "WED",
    "THU", "FRI", "SAT",
];

/// When a CronJob is due.
#[derive(Debug)]
pub struct Schedule(Rule);

#[derive(Debug)]
enum Rule {
    Pattern(Box<Cron>, TimeZone),
    Every(Duration),
}

impl Schedule {
    /// Parses `spec.schedule` in the time zone `spec.timeZone` (empty: UTC).
    ///
    /// # Errors
    ///
    /// What is wrong with the schedule or the time zone, for a person.
    pub fn parse(schedule: &str, time_zone: &str) -> Result<Self, String> {
        if let Some(every) = schedule.strip_prefix("@every ") {
            let every = go_duration(every.trim()).ok_or_else(|| format!("failed to parse duration {schedule}"))?;
            return Ok(Self(Rule::Every(every.max(Duration::from_secs(1)))));
        }
        if schedule.starts_with('@') {
            if !NICKNAMES.contains(&schedule) {
                return Err(format!("unrecognized descriptor: {schedule}"));
            }
        } else {
            let fields: Vec<&str> = schedule.split_whitespace().collect();
            if fields.len() != 5 {
                return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
            }
            for field in fields {
                check_field(field)?;
            }
        }
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).sloppy_ranges(true).build();
        let cron = parser.parse(&schedule.replace('?', "*")).map_err(|error| error.to_string())?;
        let zone = if time_zone.is_empty() { Ok(TimeZone::UTC) } else { TimeZone::get(time_zone) };
        let zone = zone.map_err(|_| format!("unknown time zone {time_zone}"))?;
        Ok(Self(Rule::Pattern(Box::new(cron), zone)))
    }

    /// The first moment after `time` at which the schedule is due; none where there is none.
    pub fn next(&self, time: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Rule::Every(every) => {
                let next = time.checked_add(*every).ok()?;
                Timestamp::from_second(next.as_second()).ok()
            }
            Rule::Pattern(cron, zone) => {
                let next = cron.find_next_occurrence(&time.to_zoned(zone.clone()), false).ok()?;
                Some(next.timestamp())
            }
        }
    }

    /// The last moment after `after`, up to and with `until`, at which the schedule is due.
    pub fn latest(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let latest = match &self.0 {
            Rule::Every(every) => {
                let passed = Duration::try_from(until.duration_since(after)).ok()?;
                let rounds = passed.as_secs() / every.as_secs().max(1);
                after.checked_add(every.checked_mul(u32::try_from(rounds).ok()?)?).ok()?
            }
            Rule::Pattern(cron, zone) => {
                cron.find_previous_occurrence(&until.to_zoned(zone.clone()), true).ok()?.timestamp()
            }
        };
        (latest > after).then_some(latest)
    }
}

fn check_field(field: &str) -> Result<(), String> {
    let upper = field.to_uppercase();
    for word in upper.split(|c: char| SYMBOLS.contains(c)) {
        let number = word.chars().all(|c| c.is_ascii_digit());
        if !number && !NAMES.contains(&word) {
            return Err(format!(
                "failed to parse int from {word}: strconv.Atoi: parsing \"{}\": invalid syntax",
                word.to_lowercase()
            ));
        }
    }
    if upper.starts_with('/') || upper.contains(",/") {
        return Err(format!("failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax ({field})"));
    }
    Ok(())
}

/// A duration as Go writes it: `1h30m`, `90s`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let value: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(value * seconds).ok()?)?;
        rest = &rest[unit..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(schedule: &str, zone: &str, time: &str) -> String {
        let schedule = Schedule::parse(schedule, zone).unwrap();
        schedule.next(time.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_next_moment_is_found_in_the_time_zone() {
        assert_eq!(after("*/5 * * * *", "", "2026-01-01T00:01:30Z"), "2026-01-01T00:05:00Z");
        assert_eq!(after("30 9 * * MON", "Asia/Tokyo", "2026-01-01T00:00:00Z"), "2026-01-05T00:30:00Z");
        assert_eq!(after("0 0 1 * ?", "", "2026-01-01T00:00:00Z"), "2026-02-01T00:00:00Z");
        assert_eq!(after("@hourly", "", "2026-01-01T00:00:00Z"), "2026-01-01T01:00:00Z");
        assert_eq!(after("@every 1h30m", "", "2026-01-01T00:00:00Z"), "2026-01-01T01:30:00Z");
        // Either the day of the month or the day of the week is enough.
        assert_eq!(after("0 0 13 * FRI", "", "2026-01-01T12:00:00Z"), "2026-01-02T00:00:00Z");
    }

    #[test]
    fn the_latest_moment_is_found_however_many_there_were() {
        let latest = |schedule: &str, until: &str| {
            let schedule = Schedule::parse(schedule, "").unwrap();
            let after = "2026-01-01T00:00:30Z".parse().unwrap();
            schedule.latest(after, until.parse().unwrap()).map(|moment| moment.to_string())
        };
        assert_eq!(latest("* * * * *", "2026-01-01T00:00:59Z"), None);
        assert_eq!(latest("* * * * *", "2031-01-01T00:01:00Z").as_deref(), Some("2031-01-01T00:01:00Z"));
        assert_eq!(latest("@every 40s", "2026-01-01T00:02:00Z").as_deref(), Some("2026-01-01T00:01:50Z"));
    }

    #[test]
    fn what_kubernetes_does_not_take_is_refused() {
        let error = |schedule: &str| Schedule::parse(schedule, "").unwrap_err();
        assert_eq!(error("* * *"), "expected exactly 5 fields, found 3: [* * *]");
        assert_eq!(error("@sometimes"), "unrecognized descriptor: @sometimes");
        for schedule in ["* * * * * *", "99 * * * *", "* * L * *", "* * * * 5#2", "x * * * *", "/5 * * * *", "@every x"]
        {
            assert!(Schedule::parse(schedule, "").is_err(), "{schedule}");
        }
        assert_eq!(Schedule::parse("* * * * *", "Mars/Base").unwrap_err(), "unknown time zone Mars/Base");
    }
}
