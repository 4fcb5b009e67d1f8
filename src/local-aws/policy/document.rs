//! Policy documents: from JSON text to checked statements.

use serde_json::Value;

use super::condition::Condition;
use super::pattern;
use super::strings::strings;

/// What a document is attached to; decides which elements it must and may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Attached to a user, role or session.
    Identity,
    /// A role's trust policy: resource is the role itself.
    Trust,
    /// Attached to a resource such as a queue.
    Resource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// A checked policy document.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) statements: Vec<Statement>,
}

/// Counts of a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) statements: usize,
    /// Of all statements.
    pub(crate) principals: usize,
    /// Of all statements.
    pub(crate) conditions: usize,
    /// Of the statement that has the most.
    pub(crate) actions_of_one: usize,
}

/// `text`, which is JSON, without the white space between its tokens; the order and the spelling stay.
pub(crate) fn compact(text: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    text.chars()
        .filter(|c| {
            let keep = inside || !c.is_ascii_whitespace();
            match c {
                '"' if !escaped => inside = !inside,
                _ => {}
            }
            escaped = inside && *c == '\\' && !escaped;
            keep
        })
        .collect()
}

#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principal: Option<PrincipalElement>,
    pub(crate) actions: Scope,
    pub(crate) resources: Option<Scope>,
    pub(crate) conditions: Vec<Condition>,
}

/// `Action` and `NotAction`, `Resource` and `NotResource`.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    Only(Vec<String>),
    Except(Vec<String>),
}

#[derive(Debug, Clone)]
pub(crate) enum PrincipalElement {
    Only(Principals),
    Except(Principals),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Principals {
    pub(crate) anyone: bool,
    pub(crate) aws: Vec<String>,
    pub(crate) federated: Vec<String>,
    pub(crate) service: Vec<String>,
}

const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];

impl Document {
    /// Parses and checks `text`; an error is worded as IAM words it.
    pub(crate) fn parse(text: &str, kind: Kind) -> Result<Self, String> {
        let mut value: Value = serde_json::from_str(text).map_err(|_| {
            let message =
                if kind == Kind::Trust { "This policy contains invalid Json" } else { "Syntax errors in policy." };
            message.to_owned()
        })?;
        if value.get("Version").and_then(Value::as_str) != Some(VERSIONS[0]) && text.contains("${") {
            // The older language has no variables: `${aws:username}` is just these characters.
            value = serde_json::from_str(&text.replace("${", "${$}{"))
                .map_err(|_| "Syntax errors in policy.".to_owned())?;
        }
        let object = value.as_object().ok_or("Syntax errors in policy.")?;
        for key in object.keys() {
            if !matches!(key.as_str(), "Version" | "Id" | "Statement") {
                return Err(format!("Syntax error at element {key}: unknown element of a policy."));
            }
        }
        match object.get("Version") {
            None => {}
            Some(Value::String(version)) if VERSIONS.contains(&version.as_str()) => {}
            Some(_) => return Err("The policy failed legacy parsing: Version must be 2012-10-17 or 2008-10-17.".into()),
        }
        let statements = match object.get("Statement") {
            Some(Value::Array(list)) if !list.is_empty() => list.iter().collect(),
            Some(single @ Value::Object(_)) => vec![single],
            _ => return Err("Syntax errors in policy: Statement is missing or empty.".into()),
        };
        let statements =
            statements.into_iter().map(|one| Statement::parse(one, kind)).collect::<Result<Vec<_>, String>>()?;
        let mut sids: Vec<_> = statements.iter().filter_map(|one| one.sid.as_deref()).collect();
        let count = sids.len();
        sids.sort_unstable();
        sids.dedup();
        if sids.len() != count {
            return Err("Statement IDs (SID) in a single policy must be unique.".into());
        }
        Ok(Self { statements })
    }

    /// What of a document is counted against a service's limits.
    pub(crate) fn size(&self) -> Size {
        let length = |scope: &Scope| match scope {
            Scope::Only(list) | Scope::Except(list) => list.len(),
        };
        let principals = self.statements.iter().filter_map(|one| one.principal.as_ref()).map(|element| {
            let (PrincipalElement::Only(all) | PrincipalElement::Except(all)) = element;
            usize::from(all.anyone) + all.aws.len() + all.federated.len() + all.service.len()
        });
        Size {
            statements: self.statements.len(),
            principals: principals.sum(),
            conditions: self.statements.iter().map(|one| one.conditions.len()).sum(),
            actions_of_one: self.statements.iter().map(|one| length(&one.actions)).max().unwrap_or_default(),
        }
    }

    /// The `AWS` principals named by any statement.
    pub(crate) fn aws_principals(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().filter_map(|one| one.principal.as_ref()).flat_map(|element| match element {
            PrincipalElement::Only(principals) | PrincipalElement::Except(principals) => {
                principals.aws.iter().map(String::as_str)
            }
        })
    }
}

impl Statement {
    fn parse(value: &Value, kind: Kind) -> Result<Self, String> {
        const ELEMENTS: [&str; 9] = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        let object = value.as_object().ok_or("Syntax errors in policy: a statement must be an object.")?;
        if let Some(key) = object.keys().find(|key| !ELEMENTS.contains(&key.as_str())) {
            return Err(format!("Syntax errors in policy: unknown element {key} of a statement."));
        }
        let effect = match object.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            Some(other) => return Err(format!("Invalid effect: {other}")),
            None => return Err("Missing required field Effect".into()),
        };
        let actions = scope(object, "Action", "NotAction")?.ok_or("Missing required field Action")?;
        check_actions(&actions)?;
        let resources = scope(object, "Resource", "NotResource")?;
        let principal = principal(object)?;
        match kind {
            Kind::Identity if principal.is_some() => {
                return Err("Policy document should not specify a principal.".into());
            }
            Kind::Identity if resources.is_none() => return Err("Policy statement must contain resources.".into()),
            Kind::Trust if resources.is_some() => return Err("Has prohibited field Resource".into()),
            Kind::Trust | Kind::Resource if principal.is_none() => {
                return Err("Missing required field Principal".into());
            }
            _ => {}
        }
        if let (Kind::Identity, Some(Scope::Only(list) | Scope::Except(list))) = (kind, &resources) {
            check_resources(list)?;
        }
        if kind == Kind::Trust {
            check_trust(&actions)?;
        }
        let sid = object.get("Sid").and_then(Value::as_str).map(str::to_owned);
        // Policies of resources, such as a queue's, are not that strict.
        if kind != Kind::Resource && sid.as_ref().is_some_and(|sid| !sid.chars().all(|c| c.is_ascii_alphanumeric())) {
            return Err("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*".into());
        }
        let conditions = Condition::parse_all(object.get("Condition"))?;
        Ok(Self { sid, effect, principal, actions, resources, conditions })
    }
}

fn check_actions(actions: &Scope) -> Result<(), String> {
    let (Scope::Only(list) | Scope::Except(list)) = actions;
    match list.iter().find(|one| !one.contains(':') && *one != "*") {
        Some(_) => Err("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".into()),
        None => Ok(()),
    }
}

fn check_resources(resources: &[String]) -> Result<(), String> {
    for one in resources.iter().filter(|one| *one != "*") {
        if !one.starts_with("arn:") {
            return Err(format!("Resource {one} must be in ARN format or \"*\"."));
        }
        if pattern::arn_parts(one).get(2).is_none_or(|service| service.is_empty() || service.contains(['*', '?'])) {
            return Err("Resource vendor must be fully qualified and cannot contain regexes.".into());
        }
    }
    Ok(())
}

fn check_trust(actions: &Scope) -> Result<(), String> {
    match actions {
        Scope::Only(list) if list.iter().all(|one| one.to_lowercase().starts_with("sts:")) => Ok(()),
        _ => Err("AssumeRole policy may only specify STS AssumeRole actions.".into()),
    }
}

fn scope(object: &serde_json::Map<String, Value>, only: &str, except: &str) -> Result<Option<Scope>, String> {
    match (object.get(only), object.get(except)) {
        (Some(_), Some(_)) => Err(format!("Syntax errors in policy: {only} and {except} exclude each other.")),
        (Some(value), None) => Ok(Some(Scope::Only(strings(value, only)?))),
        (None, Some(value)) => Ok(Some(Scope::Except(strings(value, except)?))),
        (None, None) => Ok(None),
    }
}

fn principal(object: &serde_json::Map<String, Value>) -> Result<Option<PrincipalElement>, String> {
    match (object.get("Principal"), object.get("NotPrincipal")) {
        (Some(_), Some(_)) => Err("Syntax errors in policy: Principal and NotPrincipal exclude each other.".into()),
        (Some(value), None) => Ok(Some(PrincipalElement::Only(principals(value)?))),
        (None, Some(value)) => Ok(Some(PrincipalElement::Except(principals(value)?))),
        (None, None) => Ok(None),
    }
}

fn principals(value: &Value) -> Result<Principals, String> {
    let mut principals = Principals::default();
    match value {
        Value::String(text) if text == "*" => principals.anyone = true,
        Value::Object(map) if !map.is_empty() => {
            for (kind, value) in map {
                let list = strings(value, "Principal")?;
                match kind.as_str() {
                    "AWS" => {
                        principals.anyone |= list.iter().any(|one| one == "*");
                        principals.aws = list.into_iter().filter(|one| one != "*").collect();
                    }
                    "Federated" => principals.federated = list,
                    "Service" => principals.service = list,
                    "CanonicalUser" => {}
                    other => return Err(format!("Invalid principal in policy: {other}")),
                }
            }
        }
        _ => return Err("Invalid principal in policy.".into()),
    }
    Ok(principals)
}
