//! Formulas against results of the expr language (its documentation and its Go implementation, v1.17).

use super::*;

fn names() -> BTreeSet<&'static str> {
    BTreeSet::from(["a", "b", "trig_one", "max_of", "with-dash"])
}

fn run(text: &str) -> Result<Option<f64>, Problem> {
    let values = [("a", 10.0), ("b", 4.0), ("trig_one", 0.5), ("max_of", 7.0), ("with-dash", 3.0)];
    Formula::new(text, &names())?.value(&values.into_iter().map(|(name, value)| (name, Some(value))).collect())
}

#[track_caller]
fn check(table: &[(&str, f64)]) {
    for (text, wanted) in table {
        assert_eq!(run(text), Ok(Some(*wanted)), "{text}");
    }
}

#[test]
fn arithmetic_and_precedence_are_those_of_expr() {
    check(&[
        ("a + b", 14.0),
        ("(a + b) / 2", 7.0),
        ("1 / 2", 0.5),
        ("7 % 4", 3.0),
        ("-7 % 4", -3.0),
        ("int(a) % int(b)", 2.0),
        ("2 ** 3 ** 2", 512.0),
        ("2 ^ 3", 8.0),
        ("-2 ** 2", -4.0),
        ("a - b - 1", 5.0),
        ("a / b * 2", 5.0),
        ("+a", 10.0),
        ("1 + 2 * 3 ** 2", 19.0),
        ("9223372036854775807 + 1", -9_223_372_036_854_775_808.0),
        ("a / 0", f64::INFINITY),
        ("a * 1.5 // note", 15.0),
        ("$env[\"with-dash\"] * 2", 6.0),
        ("\"12\"", 12.0),
    ]);
}

#[test]
fn logic_comparisons_and_branches_are_those_of_expr() {
    check(&[
        ("a > b ? a : b", 10.0),
        ("a > b && not (b > 5) ? 1 : 2", 1.0),
        ("a < b || b == 4 ? 1 : 2", 1.0),
        ("a < b or b != 4 ? 1 : 2", 2.0),
        ("!(a == 10) ? 1 : 2", 2.0),
        ("1 < b < 5 ? 1 : 2", 1.0),
        ("1 < b < 3 ? 1 : 2", 2.0),
        ("b in [1, 2, 4] ? 1 : 2", 1.0),
        ("b not in [1, 2, 4] ? 1 : 2", 2.0),
        ("b in 1..3 ? 1 : 2", 2.0),
        ("a == 10 ? b == 4 ? 1 : 2 : 3", 1.0),
        ("if a > 5 { b } else { 0 }", 4.0),
        ("if a > 50 { b } else if a > 5 { 2 } else { 3 }", 2.0),
        ("let x = a * 2; let y = b; x + y", 24.0),
        ("float(a) > 3 ? 1 : 0", 1.0),
        ("nil ?? a", 10.0),
        ("(a ?? b) + 1", 11.0),
        ("'x' in ['x'] and 'xy' startsWith 'x' and 'xy' endsWith 'y' and 'xyz' contains 'y' ? 1 : 0", 1.0),
        ("[1, 2] == [1, 2.0] ? 1 : 0", 1.0),
        ("'b' > 'a' ? 1 : 0", 1.0),
    ]);
}

#[test]
fn functions_are_those_of_expr() {
    check(&[
        ("max(a, b)", 10.0),
        ("min(a, b, 3)", 3.0),
        ("max([a, b], 20)", 20.0),
        ("max_of + 1", 8.0),
        ("ceil(trig_one)", 1.0),
        ("floor(-trig_one)", -1.0),
        ("round(-2.5)", -3.0),
        ("round(2.5)", 3.0),
        ("abs(b - a)", 6.0),
        ("int(2.9)", 2.0),
        ("sum([a, b])", 14.0),
        ("sum([1, 2, 3], # * 2)", 12.0),
        ("mean([a, b])", 7.0),
        ("mean(a, b, 1)", 5.0),
        ("median([3, 1, 2])", 2.0),
        ("median(1, 2, 3, 4)", 2.5),
        ("mean([])", 0.0),
        ("sum([])", 0.0),
        ("count([a, b], # > 5)", 1.0),
        ("count([true, false, true])", 2.0),
        ("len(filter([a, b, trig_one], {# > 1}))", 2.0),
        ("sum(map([a, b], # / 2))", 7.0),
        ("any([a, b], # > 9) ? 1 : 0", 1.0),
        ("all([a, b], # > 9) ? 1 : 0", 0.0),
        ("none([a, b], # > 19) ? 1 : 0", 1.0),
        ("one([a, b], # > 9) ? 1 : 0", 1.0),
        ("find([1, 2, 3, 4], # > 2)", 3.0),
        ("findIndex([1, 2, 3, 4], # > 2)", 2.0),
        ("findLast([1, 2, 3, 4], # > 2)", 4.0),
        ("findLastIndex([1, 2, 3, 4], # > 9)", -1.0),
        ("reduce(1..9, #acc + #)", 45.0),
        ("reduce([a, b], #acc + # * #index, 100)", 104.0),
        ("sum(filter([5, 6, 7], #index > 0))", 13.0),
        ("[a, b] | max() | float()", 10.0),
        ("first([a, b]) - last([a, b])", 6.0),
        ("sum(take(reverse([1, 2, 3]), 2))", 5.0),
        ("sort([3, 1, 2], 'desc')[0] + sort([3, 1, 2])[0]", 4.0),
        ("len(uniq(concat([1, 2], [2.0], flatten([[3], 1]))))", 3.0),
        ("[1, 2, 3][-1] + sum([1, 2, 3, 4, 5][1:-1])", 12.0),
        ("sum([1, 2, 3][:2]) + sum([1, 2, 3][1:]) + sum([1][5:])", 8.0),
        ("filter([a, b], let x = #; any([4, -1], # == x))[0]", 4.0),
    ]);
}

#[test]
fn what_is_wrong_is_refused_with_its_reason() {
    let table = [
        ("", "is expected, not the end"),
        ("a +", "is expected, not the end"),
        ("a b", "is expected, not b"),
        ("(a", "\")\" is expected, not the end"),
        ("a + unknown", "unknown name unknown; the triggers that have one, cpu and memory apart: a, b"),
        ("with-dash", "unknown name with"),
        ("$env['none']", "unknown name none"),
        ("a % b", "operator % takes integers"),
        ("a > b", "the result must be a number"),
        ("a && b ? 1 : 2", "an operand of and is true or false, not of type float"),
        ("a ? 1 : 2", "a condition is true or false"),
        ("a + 'x'", "mismatched types float and string"),
        ("a == 'x' ? 1 : 2", "mismatched types"),
        // In branches that the values of the check do not take.
        ("a > 0 ? b % 2 : 1", "operator % takes integers"),
        ("a < 0 || b ? 1 : 2", "an operand of or"),
        ("a ?? ('x' + 1)", "mismatched types"),
        ("b ?? a + 1", "cannot be mixed"),
        ("1 % 0", "divide by zero"),
        ("[1][3]", "index out of range: 3"),
        ("reduce([], #acc)", "empty array"),
        ("# + 1", "# stands only"),
        ("map([1], #acc)", "unknown name #acc"),
        ("now()", "function now is not served in a formula; these are: abs, ceil"),
        ("max()", "function max takes at least 1 argument"),
        ("abs(1, 2)", "function abs takes 1 argument"),
        ("abs('x')", "abs takes numbers"),
        ("{a: 1}", "a map is not served"),
        ("a.b", "fields are not served"),
        ("'a' matches 'b' ? 1 : 2", "operator matches is not served"),
        ("let a = 1; a", "a has a meaning already"),
        ("let max = 1; max", "max has a meaning already"),
        ("a not b", "an operator or the end is expected, not \"not\""),
        ("1..b", "the ends of a range are integers"),
        ("sum(1..1000000)", "more than 100000 steps"),
        ("sum(map(1..1000, sum(1..1000)))", "more than 100000 steps"),
        ("sum(-9223372036854775807..9223372036854775807)", "more than 100000 steps"),
        ("a @ b", "'@' is no part of an expression (character 3)"),
    ];
    for (text, wanted) in table {
        let found = run(text).unwrap_err().to_string();
        assert!(found.contains(wanted), "{text}: {found}");
    }
}

#[test]
fn length_and_depth_are_bounded_before_the_stack_is() {
    let long = vec!["a"; 2000].join(" + ");
    let deep = format!("{}a{}", "(".repeat(5000), ")".repeat(5000));
    let signs = format!("{}a", "-".repeat(5000));
    let calls = format!("{}a{}", "abs(".repeat(5000), ")".repeat(5000));
    let indices = format!("a{}", "[0]".repeat(5000));
    let choices = "a > 1 ? ".repeat(5000);
    for text in [long, deep, signs, calls, indices, choices] {
        let found = run(&text).unwrap_err().to_string();
        assert!(found.contains("too long") || found.contains("too deeply"), "{found}");
    }
    assert_eq!(run(&vec!["a"; 400].join(" + ")), Ok(Some(4000.0)));
}

#[test]
fn a_trigger_in_fallback_is_nil() {
    let value = |text: &str, a: Option<f64>| {
        let values = [("a", a), ("b", Some(4.0))];
        Formula::new(text, &names()).unwrap().value(&values.into_iter().collect())
    };
    assert_eq!(value("a ?? b", None), Ok(Some(4.0)));
    assert_eq!(value("a ?? b", Some(1.0)), Ok(Some(1.0)));
    assert_eq!(value("a ?? nil", None), Ok(None));
    assert_eq!(value("a == nil ? b : a + b", None), Ok(Some(4.0)));
    assert_eq!(value("count([a, b], # != nil)", None), Ok(Some(1.0)));
    assert!(value("a + b", None).unwrap_err().to_string().contains("mismatched types nil and float"));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[ab0-9 .+*/%^<>=!?:,;#|()\\[\\]{}'\"$_-]{0,40}|(a|b|max\\(|\\)|\\?\\?| not | in |\\.\\.|#|let x = |;|[0-9]){0,20}") {
        let _ = run(&text);
    }
}
