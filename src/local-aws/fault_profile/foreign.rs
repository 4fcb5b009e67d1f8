//! Roles of others in the account.

/// As many as an account of an organisation easily has.
const COUNT: usize = 500;
/// Those that a service control policy keeps from being read.
const CLOSED: [&str; 5] = [
    "AWSControlTowerExecution",
    "AWSReservedSSO_AdministratorAccess_0123456789abcdef",
    "AWSReservedSSO_ReadOnlyAccess_0123456789abcdef",
    "OrganizationAccountAccessRole",
    "stacksets-exec-0123456789abcdef",
];

/// Their names.
pub(crate) fn roles() -> impl Iterator<Item = String> {
    let open = (CLOSED.len()..COUNT).map(|number| format!("team-{number}-service"));
    CLOSED.into_iter().map(str::to_owned).chain(open)
}

/// Whether the role may not be read by anybody here.
pub(super) fn is_closed(role: &str) -> bool {
    CLOSED.contains(&role)
}
