//! One served operation: the members of its input that are read, and those that are refused.

/// One operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served {
    pub(crate) operation: &'static str,
    /// The members that are read, separated by spaces; `a.b` for `b` in `a`, or in the items of `a`.
    pub(crate) reads: &'static str,
    pub(crate) refuses: &'static [Refusal],
}

/// A member that is not read: it is refused, with all that is in it, or it is moot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) member: &'static str,
    /// The one value that is what the local cloud has anyway.
    pub(crate) but: Option<&'static str>,
    pub(crate) why: &'static str,
    /// It is taken all the same, because it can make no difference here.
    pub(crate) moot: bool,
}

pub(super) const fn served(operation: &'static str, reads: &'static str, refuses: &'static [Refusal]) -> Served {
    Served { operation, reads, refuses }
}

pub(super) const fn refused(member: &'static str, why: &'static str) -> Refusal {
    Refusal { member, but: None, why, moot: false }
}

pub(super) const fn but(member: &'static str, value: &'static str, why: &'static str) -> Refusal {
    Refusal { member, but: Some(value), why, moot: false }
}

pub(super) const fn moot(member: &'static str, why: &'static str) -> Refusal {
    Refusal { member, but: None, why, moot: true }
}
