//! The scenario file, read strictly: an unknown key is refused with its place and what is possible there.

use yaml::{Findings, Item, Problem, Problems, Section, Setting};

use super::{Bounds, Course, Fault, FaultKind, Load, Part, Reaches, Shape, Work};

/// A day of system time: longer is no scenario.
const SECONDS_MAX: f64 = 86_400.0;
/// Messages of one workload.
const MESSAGES_MAX: usize = 100_000;
const RATE_MAX: f64 = 1_000.0;
const LEAST: f64 = 0.001;

/// A course with the places of its keys.
#[derive(Debug, Clone)]
pub struct Read {
    /// What the file says.
    pub course: Course,
    file: String,
    settings: Vec<Setting>,
}

impl Read {
    /// What somebody else finds wrong with a key, placed where it was written.
    pub fn problem(&self, key: &str, cause: String, next_step: String) -> Problem {
        let origin = yaml::origin(&self.settings, key);
        Problem { file: Some(self.file.clone()), origin, key: key.to_owned(), cause, next_step }
    }
}

/// Reads a scenario file.
///
/// # Errors
///
/// All problems at once.
pub fn read(name: &str, text: &str) -> Result<Read, Problems> {
    let root = yaml::parse(Some(name), text).map_err(|problem| Problems(vec![*problem]))?;
    let mut findings = Findings { file: Some(name.to_owned()), ..Findings::default() };
    let mut section = Section::root(&mut findings, root);
    let stem = std::path::Path::new(name).file_stem().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
    let course = Course {
        name: section.text("name", &stem),
        description: section.text("description", ""),
        parts: section.items("workloads", |_, _, item| part(item)).unwrap_or_default(),
        faults: section.items("faults", |_, _, item| fault(item)).unwrap_or_default(),
    };
    section.finish();
    check(&mut findings, &course);
    if !findings.problems.is_empty() {
        findings.problems.sort_by_key(Problem::position);
        return Err(Problems(findings.problems));
    }
    Ok(Read { course, file: name.to_owned(), settings: findings.settings })
}

/// What no key says by itself.
fn check(findings: &mut Findings, course: &Course) {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if course.name.is_empty() || !course.name.chars().all(is_plain) {
        let next = "use letters, digits, `-`, `_` and `.`";
        findings.problem("name", format!("{:?} is no name for reports", course.name), next);
    }
    if course.parts.is_empty() && !findings.problems.iter().any(|problem| problem.key.starts_with("workloads")) {
        findings.problem("workloads", "no workload is given a load", "write `workloads:` with `load:` and `bounds:`");
    }
    for (index, part) in course.parts.iter().enumerate() {
        let key = format!("workloads[{index}]");
        let is_named_twice = course.parts[..index].iter().any(|other| other.workload == part.workload);
        if is_named_twice {
            findings.problem(
                &key,
                "it is the same workload as one above",
                "give each workload one entry, with all of its load",
            );
        }
        if findings.problems.iter().any(|problem| problem.key.starts_with(&format!("{key}."))) {
            continue;
        }
        match part.messages() {
            0 => findings.problem(
                &format!("{key}.load"),
                "it sends no message",
                "write at least one shape with messages, or with a rate and seconds that make one",
            ),
            messages if messages > MESSAGES_MAX => findings.problem(
                &format!("{key}.load"),
                format!("it sends {messages} messages"),
                format!("send at most {MESSAGES_MAX}"),
            ),
            _ => {}
        }
        if part.bounds == Bounds::default() {
            findings.problem(
                &format!("{key}.bounds"),
                "nothing is to hold, so the scenario would prove nothing",
                "write at least one bound, such as `settlesWithin: 900`",
            );
        }
        let kills = |fault: &Fault| fault.kind == FaultKind::WorkersDie && fault.workload == part.workload;
        if part.bounds.graceful_scale_in && course.faults.iter().any(kills) {
            let next = "leave out one of the two";
            findings.problem(
                &format!("{key}.bounds.gracefulScaleIn"),
                "the fault workers-die takes its pods without grace",
                next,
            );
        }
    }
}

fn part(item: Item<'_>) -> Part {
    let mut section = item.section();
    let part = Part {
        workload: section.given_text("name"),
        load: section.items("load", |_, _, item| load(item)).unwrap_or_default(),
        bounds: bounds(section.section("bounds")),
    };
    section.finish();
    part
}

fn load(item: Item<'_>) -> Load {
    let mut section = item.section();
    if !section.is_given("shape") {
        section.problem("shape", "no shape is said", "use one of burst, steady, ramp, poisson");
    }
    let shapes = [("burst", 0), ("steady", 1), ("ramp", 2), ("poisson", 3)];
    let shape = match section.word("shape", &shapes) {
        0 => Shape::Burst { messages: needed(&mut section, "messages").max(0.0) as u32 },
        1 => Shape::Steady { rate: needed(&mut section, "rate"), seconds: needed(&mut section, "seconds") },
        2 => Shape::Ramp {
            from: section.number("from", 0.0, 0.0..=RATE_MAX),
            to: section.number("to", 0.0, 0.0..=RATE_MAX),
            seconds: needed(&mut section, "seconds"),
        },
        _ => Shape::Poisson {
            rate: needed(&mut section, "rate"),
            seconds: needed(&mut section, "seconds"),
            seed: section.integer("seed", 0, 0..=i64::MAX) as u64,
        },
    };
    let is_poison = section.given_switch("poison") == Some(true);
    let failures = section.given_integer("failures", 1..=1000);
    if is_poison && failures.is_some() {
        section.problem("failures", "a poison message always fails", "leave out one of the two");
    }
    let load = Load {
        shape,
        after_seconds: section.number("after", 0.0, 0.0..=SECONDS_MAX),
        work: match failures {
            _ if is_poison => Work::Fails,
            Some(times) => Work::FailsFirst(times as u32),
            None => Work::Succeeds,
        },
        body: section.given_text("body"),
    };
    section.finish();
    load
}

/// A number that the shape cannot do without.
fn needed(section: &mut Section<'_>, name: &'static str) -> f64 {
    if !section.is_given(name) {
        section.problem(name, "it is missing", format!("write `{name}:` with a number above 0"));
        return LEAST;
    }
    match name {
        "messages" => section.integer(name, 1, 1..=MESSAGES_MAX as i64) as f64,
        "rate" => section.number(name, 1.0, LEAST..=RATE_MAX),
        _ => section.number(name, 1.0, LEAST..=SECONDS_MAX),
    }
}

fn bounds(mut section: Section<'_>) -> Bounds {
    let most = i64::from(i32::MAX);
    let bounds = Bounds {
        never_above: section.given_integer("neverAbove", 0..=most).map(|number| number as u32),
        changes_at_most: section.given_integer("changesAtMost", 0..=most).map(|number| number as u32),
        reaches: section.given_section("reaches").map(|mut reaches| {
            let read = Reaches {
                replicas: reaches.integer("replicas", 1, 1..=most) as u32,
                within_seconds: needed(&mut reaches, "within"),
            };
            reaches.finish();
            read
        }),
        settles_within: section.given_number("settlesWithin", 0.0..=SECONDS_MAX),
        stays_for: section.given_number("staysFor", LEAST..=SECONDS_MAX),
        every_message_once: section.switch("everyMessageOnce", false),
        graceful_scale_in: section.switch("gracefulScaleIn", false),
    };
    section.finish();
    bounds
}

fn fault(item: Item<'_>) -> Fault {
    let mut section = item.section();
    let words = FaultKind::ALL.map(|kind| (kind.name(), kind));
    if !section.is_given("fault") {
        let names = FaultKind::ALL.map(FaultKind::name).join(", ");
        section.problem("fault", "no fault is named", format!("use one of {names}"));
    }
    let kind = section.word("fault", &words);
    let after_seconds = section.number("after", 0.0, 0.0..=SECONDS_MAX);
    let mut fault = Fault { kind, after_seconds, lasts_seconds: 0.0, late_seconds: 0.0, pods: 1, workload: None };
    if kind.is_of_the_cloud() {
        fault.lasts_seconds = needed(&mut section, "seconds");
    }
    if kind == FaultKind::PodsSlow {
        fault.late_seconds = needed(&mut section, "by");
    }
    if kind == FaultKind::WorkersDie {
        fault.pods = section.integer("pods", 1, 1..=1000) as u32;
        fault.workload = section.given_text("workload");
    }
    section.finish();
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "\
name: two
workloads:
- name: orders
  load:
  - { shape: ramp, from: 0.05, to: 0.2, seconds: 120 }
  - { shape: burst, messages: 2, after: 30, failures: 2 }
  bounds: { neverAbove: 3, changesAtMost: 6, reaches: { replicas: 2, within: 300 }, settlesWithin: 900, staysFor: 60 }
- name: mails
  load: [{ shape: poisson, rate: 0.1, seconds: 200, seed: 7 }]
  bounds: { everyMessageOnce: true }
faults:
- { fault: sts-denies, after: 10, seconds: 60 }
- { fault: pods-slow, seconds: 60, by: 40 }
- { fault: workers-die, after: 50, pods: 2, workload: orders }
";

    fn wrong(text: &str) -> String {
        read("mine.yaml", text).map(|read| read.course).unwrap_err().to_string()
    }

    #[test]
    fn every_key_is_read() {
        let course = read("mine.yaml", WHOLE).unwrap().course;
        assert_eq!((course.name.as_str(), course.parts.len(), course.faults.len()), ("two", 2, 3));
        let [orders, mails] = course.parts.as_slice() else { panic!("{course:?}") };
        assert_eq!(orders.load[1].work, Work::FailsFirst(2));
        assert_eq!(orders.bounds.reaches, Some(Reaches { replicas: 2, within_seconds: 300.0 }));
        assert_eq!((orders.bounds.changes_at_most, orders.bounds.stays_for), (Some(6), Some(60.0)));
        assert!(mails.bounds.every_message_once && mails.messages() > 5);
        assert_eq!((course.faults[1].late_seconds, course.faults[2].pods), (40.0, 2));
        // What a file leaves open: its name, the first workload, no fault.
        let small = "workloads: [{ load: [{ shape: burst, messages: 1 }], bounds: { settlesWithin: 9 } }]";
        let course = read("dir/small.yaml", small).unwrap().course;
        assert_eq!((course.name.as_str(), course.parts[0].workload.as_ref()), ("small", None));
    }

    #[test]
    fn what_evidence_remembers_is_what_was_read() {
        let course = read("mine.yaml", WHOLE).unwrap().course;
        let played = super::super::Played { part: course.parts[0].clone(), faults: course.faults };
        let text = serde_json::to_string(&played).unwrap();
        assert_eq!(serde_json::from_str::<super::super::Played>(&text).unwrap(), played);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_what_is_possible() {
        let with = |from: &str, to: &str| wrong(&WHOLE.replacen(from, to, 1));
        for (from, to, parts) in [
            (
                "neverAbove",
                "neverAbov",
                &["mine.yaml:7:", "workloads[0].bounds.neverAbov: unknown key", "did you mean \"neverAbove\"?"][..],
            ),
            (
                "shape: ramp",
                "shape: rampe",
                &["mine.yaml:5:", "workloads[0].load[0].shape: \"rampe\" is not known", "burst, steady, ramp, poisson"],
            ),
            (
                "fault: sts-denies",
                "fault: weather",
                &["mine.yaml:12:", "faults[0].fault", "sqs-throttles, counts-stale"],
            ),
            ("after: 10, seconds: 60", "after: 10", &["faults[0].seconds: it is missing"]),
            ("seconds: 60, by: 40", "seconds: 60", &["faults[1].by: it is missing"]),
            ("- name: mails", "- name: orders", &["workloads[1]: it is the same workload"]),
            ("everyMessageOnce: true", "", &["workloads[1].bounds: nothing is to hold"]),
            (
                "shape: poisson, rate: 0.1, seconds: 200, seed: 7",
                "shape: steady, rate: 0.1, seconds: 5",
                &["workloads[1].load: it sends no message"],
            ),
            ("failures: 2", "failures: 2, poison: true", &["a poison message always fails"]),
            ("staysFor: 60", "gracefulScaleIn: true", &["gracefulScaleIn: the fault workers-die"]),
            ("messages: 2", "messages: 0", &["load[1].messages: 0 is out of range"]),
            (
                "seconds: 60, by: 40",
                "seconds: 60, by: 40, pods: 1",
                &["faults[1].pods: unknown key", "the keys here are fault, after, seconds, by"],
            ),
        ] {
            let text = with(from, to);
            for part in parts {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
        assert!(wrong("").contains("mine.yaml: workloads: no workload is given a load"), "{}", wrong(""));
        assert!(wrong("workloads: 3").contains("expected a list"), "{}", wrong("workloads: 3"));
    }
}
