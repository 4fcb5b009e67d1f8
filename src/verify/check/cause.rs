//! The cause beside the verdict: what was looked into when pods did not run or a step failed, and where to look next.

use crate::evidence::Evidence;
use crate::verdict::{Outcome, Verdict};

/// The checks that fail by what the pods do, the most telling first.
const OF_PODS: [&str; 3] = ["scenario-completed", "no-restarts", "reaches-maximum"];
/// What can always be looked at: the records of the run.
const TIMELINE: &str = "see what happened, and why, with `sluice explain`";

/// Adds to the first failure what was looked into; the others follow from it.
pub(super) fn add(evidence: &Evidence, verdicts: &mut [Verdict]) {
    let is_failure = |verdict: &Verdict| verdict.outcome == Outcome::Fail;
    let failed = |name: &str| verdicts.iter().position(|verdict| verdict.name == name && is_failure(verdict));
    let of_pods = OF_PODS.into_iter().find_map(failed);
    let Some(at) = of_pods.or_else(|| verdicts.iter().position(is_failure)) else { return };
    let verdict = &mut verdicts[at];
    verdict.next = Some(TIMELINE.to_owned());
    if of_pods.is_none() || evidence.interrupted_in().is_some() {
        return;
    }
    // What made waiting hopeless is the cause; otherwise the last look at each Deployment is the nearest to it.
    for (about, found) in newest(evidence) {
        let hopeless = found.hopeless.iter().filter(|why| !verdict.saw.contains(why.as_str()));
        let lines: Vec<String> = hopeless.chain(&found.evidence).cloned().collect();
        if !lines.is_empty() {
            verdict.evidence.push(format!("{about}:"));
            verdict.evidence.extend(lines.iter().map(|line| format!("  {line}")));
        }
        if let Some(next) = &found.next {
            verdict.next = Some(next.clone());
        }
    }
}

/// The newest diagnosis of each Deployment that has a cause, the operator's first: without it no pods are made.
fn newest(evidence: &Evidence) -> Vec<(&str, &crate::observation::Diagnosis)> {
    let mut found: Vec<(&str, &crate::observation::Diagnosis)> = Vec::new();
    for (_, diagnosis) in evidence.diagnoses() {
        match found.iter_mut().find(|(about, _)| *about == diagnosis.about) {
            // A look that came too late to see anything does not hide the one before.
            Some((_, known)) if known.hopeless.is_none() || diagnosis.hopeless.is_some() => {
                let has_log =
                    |one: &crate::observation::Diagnosis| one.evidence.iter().any(|line| line.starts_with("log of "));
                if has_log(diagnosis) || !has_log(known) {
                    *known = diagnosis;
                }
            }
            Some(_) => {}
            None => found.push((&diagnosis.about, diagnosis)),
        }
    }
    let own = format!("Deployment {}", evidence.header.workload);
    found.sort_by_key(|(about, _)| *about == own);
    found
}

#[cfg(test)]
mod tests {
    use crate::check;
    use crate::fixture::{END, Run, step};
    use crate::observation::{Diagnosis, Observation, Source, StepState};
    use crate::verdict::Verdict;

    fn diagnosis(about: &str, hopeless: Option<&str>, line: &str) -> Observation {
        Observation::Diagnosis(Diagnosis {
            about: format!("Deployment {about}"),
            hopeless: hopeless.map(str::to_owned),
            evidence: vec!["last Warning of Pod p: BackOff: it crashes".into(), "log of p:".into(), line.to_owned()],
            next: Some(format!("look further with `kubectl describe {about}`")),
        })
    }

    fn of(run: Run) -> Vec<Verdict> {
        let verdicts = check::evaluate(&run.evidence());
        verdicts.into_iter().filter(|verdict| verdict.next.is_some() || !verdict.evidence.is_empty()).collect()
    }

    #[test]
    fn a_failed_step_has_the_pods_reasons_beside_it_and_a_good_run_has_none() {
        assert_eq!(of(Run::good()), []);
        let run = Run::good()
            .with(END, Source::Scenario, step("hold", StepState::Stopped))
            .with(END, Source::Pods, diagnosis("myproject/myapp", Some("ends with exit code 1"), "  no database"))
            .with(END + 1.0, Source::Pods, diagnosis("myproject/myapp", None, "  too late"));
        let [verdict] = of(run).try_into().unwrap();
        assert_eq!(verdict.name, "scenario-completed");
        let text = verdict.evidence.join("\n");
        for part in ["Deployment myproject/myapp:", "exit code 1", "last Warning of Pod p", "no database"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("too late") && verdict.next.unwrap().contains("describe myproject/myapp"));
    }

    #[test]
    fn a_failure_of_another_sort_names_where_to_look_and_no_pods() {
        let run = Run::good().with(END, Source::Deployment, crate::fixture::deployment(9)).with(
            END,
            Source::Pods,
            diagnosis("myproject/myapp", None, "  well"),
        );
        let [verdict] = of(run).try_into().unwrap();
        assert!(verdict.evidence.is_empty() && verdict.next.unwrap().contains("sluice explain"), "{}", verdict.name);
    }

    #[test]
    fn an_operator_that_was_restarted_is_shown_though_the_scenario_came_to_its_end() {
        let names = ["keda-operator-1".to_owned()];
        let run = Run::good().with(END, Source::OperatorPods, crate::fixture::pods(&names, 1)).with(
            END,
            Source::OperatorPods,
            diagnosis("keda/keda-operator", None, "  panicked at"),
        );
        let [verdict] = of(run).try_into().unwrap();
        assert!(verdict.name == "no-restarts" && verdict.evidence.join("").contains("panicked at"), "{verdict:?}");
    }
}
