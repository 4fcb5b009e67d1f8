//! `sluice demo`: the product's main job, as a newcomer runs it.

use serde_json::Value;

use crate::place::Place;

#[test]
fn the_demo_goes_from_0_to_3_to_0_proves_it_and_leaves_nothing() {
    let place = Place::new();
    let demo = place.run("demo").with(0);
    for check in ["activated-by-operator", "reaches-maximum", "every-message-deleted-once", "stays-at-zero"] {
        assert!(demo.stdout.contains(check), "the check {check} is missing:\n{}", demo.stdout);
    }
    assert!(demo.stdout.contains("story seed: pass"), "{}", demo.stdout);

    let report: Value = serde_json::from_str(&read(&place, "report/report.json")).unwrap();
    assert_eq!(report["outcome"], "pass");
    let verdicts = report["verdicts"].as_array().unwrap();
    assert!(verdicts.len() >= 10 && verdicts.iter().all(|verdict| verdict["outcome"] == "pass"), "{verdicts:#?}");
    assert!(read(&place, "report/junit.xml").contains("<testcase"));
    let html = read(&place, "report/report.html");
    assert!(html.contains("<svg"), "the report has no picture");
    for outside in ["src=\"http", "href=\"http", "<script src"] {
        assert!(!html.contains(outside), "the report is not self-contained: it holds {outside}");
    }
    let evidence: Vec<String> = place.files().into_iter().filter(|file| file.contains("/evidence/")).collect();
    assert_eq!(evidence.len(), 1, "{evidence:?}");
    place.nothing_is_left();

    // The same evidence gives the same verdict, with nothing up.
    let judged = place.run(&format!("verify --evidence {}", evidence[0])).with(0);
    assert!(judged.stdout.contains("story seed: pass"), "{}", judged.stdout);
}

fn read(place: &Place, name: &str) -> String {
    let path = place.stack_file(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
