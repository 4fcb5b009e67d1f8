//! IAM while it is late or busy.

use local_faults::Kind;

use super::journal::Mark;
use super::{Profile, Subject, foreign};
use crate::fault::Fault;

impl Profile {
    pub(super) fn iam(&self, subject: &Subject) -> Option<Fault> {
        let operation = subject.operation.as_str();
        if operation == "CreateOpenIDConnectProvider" {
            return self.issuer(subject);
        }
        if matches!(operation, "CreateRole" | "UpdateAssumeRolePolicy")
            && let Some(fault) = self.principal(subject)
        {
            return Some(fault);
        }
        let role = subject.role.as_deref()?;
        if self.faults().has(Kind::ForeignRoles) && foreign::is_closed(role) {
            let text = format!(
                "User is not authorized to perform: iam:{operation} on resource: role {role} with an explicit deny in a service control policy"
            );
            return Some(Fault::access_denied(text));
        }
        if operation == "CreateRole" {
            return None;
        }
        let is_change = !operation.starts_with("Get") && !operation.starts_with("List");
        if operation == "DeleteRole" && self.is_within(Kind::IamDeletesLate, Mark::PolicyTakenOff, role) {
            return Some(Fault::new(409, "DeleteConflict", "Cannot delete entity, must detach all policies first."));
        }
        if is_change && self.is_within(Kind::IamBusy, Mark::RoleChanged, role) && self.strikes(Kind::IamBusy, role, 2) {
            let text = "The request was rejected because multiple requests to change this object were submitted simultaneously. Wait a few minutes and submit your request again.";
            return Some(Fault::new(409, "ConcurrentModification", text));
        }
        let is_unknown =
            self.is_within(Kind::IamReadsLate, Mark::RoleMade, role) && self.strikes(Kind::IamReadsLate, role, 2);
        is_unknown.then(|| Fault::new(404, "NoSuchEntity", format!("The role with name {role} cannot be found.")))
    }

    /// IAM itself must reach the issuer of a cluster that became ACTIVE a moment ago.
    fn issuer(&self, subject: &Subject) -> Option<Fault> {
        let url = subject.issuer.as_deref()?;
        let is_new = self.journal().all(Mark::Active).iter().any(|(of, moment)| {
            // The mark of an issuer is its URL's.
            of == url && self.clock.elapsed(*moment) < self.faults().lasts(Kind::IssuerLate, url)
        });
        is_new.then(|| {
            let text = format!("IAM cannot connect to the OpenID Connect identity provider URL {url}");
            Fault::sender("OpenIdIdpCommunicationError", text)
        })
    }

    /// A trust policy names a role that IAM has only just made.
    fn principal(&self, subject: &Subject) -> Option<Fault> {
        let trust = subject.trust.as_deref()?;
        let late = self.journal().all(Mark::RoleMade).into_iter().find(|(role, moment)| {
            let is_named = trust.contains(&format!(":role/{role}\""));
            is_named && self.clock.elapsed(*moment) < self.faults().lasts(Kind::IamReadsLate, role)
        });
        late.map(|(role, _)| {
            Fault::sender("MalformedPolicyDocument", format!("Invalid principal in policy: \"AWS\":\"role/{role}\""))
        })
    }
}
