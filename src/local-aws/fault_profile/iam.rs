//! IAM while it is late or busy.

use local_faults::Kind;

use super::journal::Mark;
use super::{Profile, Subject, foreign};
use crate::fault::Fault;

/// The changes of a role that IAM refuses while another is under way: those whose models list it, and attaching (seen:
/// terraform-provider-aws issue 34371).
const ONE_AT_A_TIME: [&str; 5] = ["AttachRolePolicy", "CreateRole", "DeleteRole", "TagRole", "UntagRole"];

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
        // Roles are made many at a time.
        let is_busy = operation == "CreateRole" || self.is_within(Kind::IamBusy, Mark::RoleChanged, role);
        if ONE_AT_A_TIME.contains(&operation) && is_busy && self.strikes(Kind::IamBusy, role, 2) {
            let text = "The request was rejected because multiple requests to change this object were submitted simultaneously. Wait a few minutes and submit your request again.";
            return Some(Fault::new(409, "ConcurrentModification", text));
        }
        if operation == "CreateRole" {
            return None;
        }
        if operation == "DeleteRole" && self.is_within(Kind::IamDeletesLate, Mark::PolicyTakenOff, role) {
            return Some(Fault::new(409, "DeleteConflict", "Cannot delete entity, must detach all policies first."));
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
