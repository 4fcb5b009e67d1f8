//! Jobs and CronJobs.

use serde_json::Value;

use super::checks::{is_set, listed, not_negative, text};
use super::pod;
use super::workload::{MISMATCH, selects};
use crate::cron::Schedule;
use crate::status::FieldError;

/// Indexes that may run at the same time.
const INDEXED_PARALLELISM_MAX: i64 = 100_000;
/// A CronJob's name, to which its Jobs add a dash and ten digits.
const CRON_JOB_NAME_MAX: usize = 52;
/// Parts of a pod template that may change while a Job is suspended and has not begun.
const SCHEDULING: [&str; 4] = ["nodeSelector", "tolerations", "affinity", "schedulingGates"];

pub(super) fn job(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    spec_and_selector(object, errors);
    let Some(old) = old else { return };
    // An update is checked as a new Job, and then as a change, which looks at all of it once more.
    spec_and_selector(object, errors);
    let spec = &object["spec"];
    // An indexed Job may grow and shrink with its parallelism.
    let elastic = spec["completionMode"] == "Indexed" && spec["completions"] == spec["parallelism"];
    let fixed = [
        "completions",
        "selector",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ];
    for field in fixed {
        if old["spec"][field] != spec[field] && !(field == "completions" && elastic) {
            errors.push(FieldError::invalid(format!("spec.{field}"), &spec[field], "field is immutable"));
        }
    }
    if fixed_template(old, &old["spec"]["template"]) != fixed_template(old, &spec["template"]) {
        errors.push(FieldError::invalid("spec.template", &spec["template"], "field is immutable"));
    }
}

/// The part of a pod template that an update may not change.
fn fixed_template(old: &Value, template: &Value) -> Value {
    let mut fixed = template.clone();
    let waiting = old["spec"]["suspend"] == true && !is_set(&old["status"]["startTime"]);
    if waiting {
        if let Some(template) = fixed.as_object_mut() {
            template.remove("metadata");
        }
        if let Some(spec) = fixed.get_mut("spec").and_then(Value::as_object_mut) {
            spec.retain(|field, _| !SCHEDULING.contains(&field.as_str()));
        }
    }
    fixed
}

fn spec_and_selector(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    job_spec(spec, "spec", errors);
    let labels = &spec["template"]["metadata"]["labels"];
    if !selects(&spec["selector"], labels) {
        errors.push(FieldError::invalid("spec.template.metadata.labels", labels, MISMATCH));
    }
}

fn job_spec(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let numbers = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    for field in numbers {
        not_negative(&spec[field], &format!("{path}.{field}"), errors);
    }
    pod::template(&spec["template"], &format!("{path}.template"), false, errors);
    indexed(spec, path, errors);
    let restart = &spec["template"]["spec"]["restartPolicy"];
    for field in ["podFailurePolicy", "backoffLimitPerIndex"] {
        if is_set(&spec[field]) && restart != "Never" {
            let detail = format!("only \"Never\" is supported when {field} is specified");
            errors.push(FieldError::invalid(format!("{path}.template.spec.restartPolicy"), restart, &detail));
        }
    }
    failure_policy(spec, &format!("{path}.podFailurePolicy"), errors);
    success_policy(spec, &format!("{path}.successPolicy"), errors);
    let replacement = &spec["podReplacementPolicy"];
    if is_set(&spec["podFailurePolicy"]) && is_set(replacement) && replacement != "Failed" {
        let supported = listed(&["Failed"]);
        errors.push(FieldError::unsupported(format!("{path}.podReplacementPolicy"), replacement, &supported));
    } else {
        one_of(replacement, &format!("{path}.podReplacementPolicy"), &["Failed", "TerminatingOrFailed"], errors);
    }
}

fn indexed(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mode = &spec["completionMode"];
    one_of(mode, &format!("{path}.completionMode"), &["NonIndexed", "Indexed"], errors);
    let is_indexed = mode == "Indexed";
    if is_indexed && !is_set(&spec["completions"]) {
        errors.push(FieldError::required(format!("{path}.completions"), "when completion mode is Indexed"));
    }
    if is_indexed && spec["parallelism"].as_i64().is_some_and(|number| number > INDEXED_PARALLELISM_MAX) {
        let detail = format!("must be less than or equal to {INDEXED_PARALLELISM_MAX} when completion mode is Indexed");
        errors.push(FieldError::invalid(format!("{path}.parallelism"), &spec["parallelism"], &detail));
    }
    for field in ["backoffLimitPerIndex", "successPolicy"] {
        if is_set(&spec[field]) && !is_indexed {
            let detail = "requires indexed completion mode";
            errors.push(FieldError::invalid(format!("{path}.{field}"), &spec[field], detail));
        }
    }
    let most = &spec["maxFailedIndexes"];
    if is_set(most) {
        if !is_set(&spec["backoffLimitPerIndex"]) {
            let detail = "when maxFailedIndexes is specified";
            errors.push(FieldError::required(format!("{path}.backoffLimitPerIndex"), detail));
        }
        if spec["completions"].as_i64().is_some_and(|all| most.as_i64().is_some_and(|most| most > all)) {
            let detail = "must be less than or equal to completions";
            errors.push(FieldError::invalid(format!("{path}.maxFailedIndexes"), most, detail));
        }
    }
}

fn failure_policy(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let actions: &[&str] = if is_set(&spec["backoffLimitPerIndex"]) {
        &["Count", "FailIndex", "FailJob", "Ignore"]
    } else {
        &["Count", "FailJob", "Ignore"]
    };
    for (index, rule) in spec["podFailurePolicy"]["rules"].as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}.rules[{index}]");
        if text(&rule["action"]).is_empty() {
            errors.push(FieldError::required(format!("{path}.action"), &format!("valid values: {actions:?}")));
        } else {
            one_of(&rule["action"], &format!("{path}.action"), actions, errors);
        }
        let codes = &rule["onExitCodes"];
        let conditions = rule["onPodConditions"].as_array().is_some_and(|list| !list.is_empty());
        match (is_set(codes), conditions) {
            (true, true) => {
                let detail = "specifying both OnExitCodes and OnPodConditions is not supported";
                errors.push(FieldError::invalid(path.clone(), rule, detail));
            }
            (false, false) => {
                let detail = "specifying one of OnExitCodes and OnPodConditions is required";
                errors.push(FieldError::invalid(path.clone(), rule, detail));
            }
            _ => {}
        }
        if is_set(codes) {
            one_of(&codes["operator"], &format!("{path}.onExitCodes.operator"), &["In", "NotIn"], errors);
            for (position, value) in codes["values"].as_array().into_iter().flatten().enumerate() {
                if codes["operator"] == "In" && value == 0 {
                    let detail = "must not be 0 for the In operator";
                    errors.push(FieldError::invalid(format!("{path}.onExitCodes.values[{position}]"), value, detail));
                }
            }
        }
    }
}

fn success_policy(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if !is_set(&spec["successPolicy"]) {
        return;
    }
    let rules = spec["successPolicy"]["rules"].as_array().map_or(&[][..], Vec::as_slice);
    if rules.is_empty() {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        errors.push(FieldError::required(format!("{path}.rules"), detail));
    }
    for (index, rule) in rules.iter().enumerate() {
        let path = format!("{path}.rules[{index}]");
        if !is_set(&rule["succeededIndexes"]) && !is_set(&rule["succeededCount"]) {
            let detail = "at least one of succeededCount or succeededIndexes must be specified";
            errors.push(FieldError::required(path.clone(), detail));
        }
        not_negative(&rule["succeededCount"], &format!("{path}.succeededCount"), errors);
    }
}

fn one_of(value: &Value, path: &str, supported: &[&str], errors: &mut Vec<FieldError>) {
    if is_set(value) && !supported.contains(&text(value)) {
        errors.push(FieldError::unsupported(path, value, &listed(supported)));
    }
}

pub(super) fn cron_job(object: &Value, errors: &mut Vec<FieldError>) {
    let (spec, name) = (&object["spec"], &object["metadata"]["name"]);
    let schedule = text(&spec["schedule"]);
    let zone = &spec["timeZone"];
    if schedule.is_empty() {
        errors.push(FieldError::required("spec.schedule", ""));
    } else if schedule.contains("TZ") {
        let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.push(FieldError::invalid("spec.schedule", &spec["schedule"], detail));
    } else if let Err(detail) = Schedule::parse(schedule, "") {
        errors.push(FieldError::invalid("spec.schedule", &spec["schedule"], &detail));
    }
    if is_set(zone) {
        if text(zone).eq_ignore_ascii_case("local") || text(zone).is_empty() {
            let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
            errors.push(FieldError::invalid("spec.timeZone", zone, detail));
        } else if Schedule::parse("@daily", text(zone)).is_err() {
            let detail = format!("unknown time zone {}", text(zone));
            errors.push(FieldError::invalid("spec.timeZone", zone, &detail));
        }
    }
    for field in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        not_negative(&spec[field], &format!("spec.{field}"), errors);
    }
    one_of(&spec["concurrencyPolicy"], "spec.concurrencyPolicy", &["Allow", "Forbid", "Replace"], errors);
    let template = &spec["jobTemplate"]["spec"];
    job_spec(template, "spec.jobTemplate.spec", errors);
    if is_set(&template["selector"]) {
        let detail = "`selector` will be auto-generated";
        errors.push(FieldError::invalid("spec.jobTemplate.spec.selector", &template["selector"], detail));
    }
    if text(name).len() > CRON_JOB_NAME_MAX {
        errors.push(FieldError::invalid("metadata.name", name, "must be no more than 52 characters"));
    }
}
