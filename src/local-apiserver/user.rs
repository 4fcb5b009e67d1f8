//! Who asks: a user as the authenticators name it.

use std::collections::BTreeMap;

/// An authenticated identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// `system:serviceaccount:ns:name`, an access entry's user name, …
    pub name: String,
    /// Groups, `system:authenticated` among them.
    pub groups: Vec<String>,
    /// Unique id; empty if the authenticator knows none.
    pub uid: String,
    /// Whatever else the authenticator knows, such as the pod a token is bound to.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user whom authorisation never refuses.
    pub fn system_masters(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
            ..Self::default()
        }
    }

    /// The identity of a ServiceAccount.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self {
            name: format!("system:serviceaccount:{namespace}:{name}"),
            groups: vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ],
            ..Self::default()
        }
    }

    pub(crate) fn anonymous() -> Self {
        Self {
            name: "system:anonymous".to_owned(),
            groups: vec!["system:unauthenticated".to_owned()],
            ..Self::default()
        }
    }

    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|held| held == group)
    }
}
