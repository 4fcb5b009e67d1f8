//! One rule.

use kube_cel::cel::IdedExpr;

/// One rule, ready to be evaluated.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) expression: IdedExpr,
    pub(super) message_expression: Option<IdedExpr>,
    /// What is said when it does not hold.
    pub(super) message: String,
    /// The rule as other failures name it.
    pub(super) shown: String,
    pub(super) reason: String,
    /// The place that is named instead of the rule's own, below that.
    pub(super) field_path: String,
    pub(super) about_change: bool,
    pub(super) optional_old: bool,
}
