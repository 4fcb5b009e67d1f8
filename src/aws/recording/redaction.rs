//! What must not be handed on, and what stands for it: keys, tokens, signatures, account ids, people's names, ids of networks,
//! and the names of what the account holds besides the stack.
//!
//! The same value has the same stand-in everywhere in one record, of the same shape, so that the record can still be replayed
//! and checked against the service's models. Which value it was is written nowhere.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Roles and policies of AWS itself, which every account has.
const OF_AWS: [&str; 2] = ["Amazon", "AWS"];

/// Operations whose answers list what the account holds, whosever it is.
const OF_THE_ACCOUNT: [&str; 5] =
    ["ListRoles", "ListPolicies", "ListEntitiesForPolicy", "ListQueues", "ListOpenIDConnectProviders"];

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).expect("the pattern is a constant"));
    };
}

// An account has twelve digits and no more (times have ten or thirteen).
pattern!(DIGITS, r"[0-9]+");
// IAM User Guide, "IAM identifiers": unique ids and access keys by their prefix.
pattern!(UNIQUE_ID, r"\b(?P<kind>AKIA|ASIA|AIDA|AROA|AGPA|ANPA|ANVA|AIPA|APKA|ASCA|ABIA|ACCA)[A-Z0-9]{12,124}\b");
pattern!(
    NETWORK_ID,
    r"\b(?P<kind>vpc|subnet|sg|eni|rtb|igw|nat|vpce|acl|eipalloc|vpce-svc)-(?P<hex>[0-9a-f]{17}|[0-9a-f]{8})\b"
);
pattern!(UUID, r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b");
// The id of a cluster's issuer and the name of its endpoint.
pattern!(HEX_ID, r"\b[0-9A-F]{32}\b");
pattern!(ADDRESS, r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b");
pattern!(EMAIL, r"[A-Za-z0-9._%+-]+(?:@|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+");
pattern!(JWT, r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*");
pattern!(EKS_TOKEN, r"k8s-aws-v1\.[A-Za-z0-9_-]+");
// The person or the session at the end of an ARN, also inside a form.
pattern!(
    PERSON,
    r"(?P<kind>:|%3A)(?P<what>user|federated-user)(?P<slash>/|%2F)(?P<name>(?:[A-Za-z0-9+=,.@_/-]|%2F|%40|%2B|%2C|%3D)+)"
);
pattern!(
    SESSION,
    r"(?P<front>(?::|%3A)assumed-role(?P<slash>/|%2F)[A-Za-z0-9+=,.@_-]+)(?:/|%2F)(?P<name>(?:[A-Za-z0-9+=,.@_-]|%40|%2B|%2C|%3D)+)"
);
// Values of members that are secrets by their name, in XML, JSON and forms.
const SECRET: &str = r"(?i:secret_?access_?key|session_?token|security_?token|web_?identity_?token|authorization_?token|access_?token|refresh_?token|id_?token|client_?secret|password|saml_?assertion|receipt_?handle|external_?id|sts:external_?id)";
pattern!(SECRET_XML, &format!(r"<(?P<name>{SECRET})>[^<]*</"));
pattern!(SECRET_JSON, &format!(r#""(?P<name>{SECRET})"(?P<colon>\s*:\s*)"(?:[^"\\]|\\.)*""#));
pattern!(
    SECRET_FORM,
    &format!(r"(?P<before>^|[&?])(?P<name>{SECRET}|X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token)=[^&\s]*")
);
// Documents and descriptions of what is not the stack's, in lists of the account.
pattern!(DOCUMENT, r"<(?P<name>AssumeRolePolicyDocument|PolicyDocument|Document|Description)>[^<]*</");
pattern!(NAME_XML, r"<(?:RoleName|PolicyName|UserName|GroupName|InstanceProfileName)>([^<]+)<");
pattern!(
    NAME_ARN,
    r"arn:aws[a-z-]*:(?:iam::[0-9]*:(?:role|policy|user)/(?:[^\s<]*/)?|sqs:[a-z0-9-]*:[0-9]*:|eks:[a-z0-9-]*:[0-9]*:cluster/)([A-Za-z0-9+=,.@_-]+)"
);
pattern!(QUEUE_URL, r#"https?://[^\s"<]+/[0-9]{12}/([A-Za-z0-9._-]+)"#);
pattern!(CLUSTERS, r#""clusters"\s*:\s*\[([^\]]*)\]"#);
// As names are written, but for `=`: a form has it before each of them.
pattern!(WORD, r"[A-Za-z0-9+,.@_-]+");

/// The stand-ins of one record.
#[derive(Debug)]
pub(super) struct Redactor {
    /// How names of the stack begin.
    own: Vec<String>,
    /// Stand-ins by kind and value.
    known: HashMap<(&'static str, String), usize>,
    counts: HashMap<&'static str, usize>,
    /// Names of others in the account.
    foreign: Vec<(String, String)>,
    /// The answer that comes next lists things of the account.
    lists: bool,
}

impl Redactor {
    pub(super) fn new(own: Vec<String>) -> Self {
        Self { own, known: HashMap::new(), counts: HashMap::new(), foreign: Vec::new(), lists: false }
    }

    /// Takes the names of what is not the stack's from an answer, before it is redacted.
    pub(super) fn learn(&mut self, operation: Option<&str>, answer: &str) {
        self.lists = operation.is_some_and(|operation| OF_THE_ACCOUNT.contains(&operation));
        // EKS says its operations by paths; its list is known by its answer.
        if !self.lists && !CLUSTERS.is_match(answer) {
            return;
        }
        let mut names: Vec<String> = [&*NAME_XML, &*NAME_ARN, &*QUEUE_URL]
            .into_iter()
            .flat_map(|pattern| pattern.captures_iter(answer))
            .map(|found| found[1].to_owned())
            .collect();
        let clusters = CLUSTERS.captures_iter(answer).flat_map(|list| {
            list.get(1).map_or("", |list| list.as_str()).split(',').map(|name| name.trim().trim_matches('"').to_owned())
        });
        names.extend(clusters);
        names.sort_unstable();
        names.dedup();
        for name in names {
            let is_known = self.foreign.iter().any(|(known, _)| *known == name);
            if !name.is_empty() && !self.is_own(&name) && !is_known {
                let stand_in = format!("foreign-{}", self.foreign.len() + 1);
                self.foreign.push((name, stand_in));
            }
        }
    }

    fn is_own(&self, name: &str) -> bool {
        OF_AWS.iter().any(|prefix| name.starts_with(prefix)) || self.own.iter().any(|own| name.starts_with(own))
    }

    /// A header's value.
    pub(super) fn header(&mut self, name: &str, value: &str) -> String {
        match name {
            "authorization" => authorization(value),
            "x-amz-security-token" | "cookie" | "set-cookie" | "x-amz-sso_bearer_token" => "REDACTED".to_owned(),
            _ => self.text(value),
        }
    }

    /// A text of either side: a URL, a body, a message.
    pub(super) fn text(&mut self, text: &str) -> String {
        let mut text = SECRET_XML.replace_all(text, "<${name}>REDACTED</").into_owned();
        text = SECRET_JSON.replace_all(&text, r#""${name}"${colon}"REDACTED""#).into_owned();
        text = SECRET_FORM.replace_all(&text, "${before}${name}=REDACTED").into_owned();
        if std::mem::take(&mut self.lists) {
            text = DOCUMENT.replace_all(&text, "<${name}>REDACTED</").into_owned();
        }
        text = JWT.replace_all(&text, "REDACTED").into_owned();
        text = EKS_TOKEN.replace_all(&text, "k8s-aws-v1.REDACTED").into_owned();
        text = self.each(&PERSON, &text, "person", |found, number| {
            format!("{}{}{}person-{number}", &found["kind"], &found["what"], &found["slash"])
        });
        text = self.each(&SESSION, &text, "session", |found, number| {
            format!("{}{}session-{number}", &found["front"], &found["slash"])
        });
        text = self.each(&EMAIL, &text, "email", |_, number| format!("person-{number}@example.com"));
        text = self.foreign_names(&text);
        text = self.each(&UNIQUE_ID, &text, "unique id", |found, number| format!("{}{number:017}", &found["kind"]));
        text = self.each(&NETWORK_ID, &text, "network", |found, number| {
            format!("{}-{number:0width$x}", &found["kind"], width = found["hex"].len())
        });
        text = self.each(&UUID, &text, "uuid", |_, number| format!("00000000-0000-4000-8000-{number:012x}"));
        text = self.each(&HEX_ID, &text, "hex", |_, number| format!("{number:032X}"));
        text = self.addresses(&text);
        self.accounts(&text)
    }

    /// Replaces each match by what `stand_in` makes of the number of its value.
    fn each(
        &mut self,
        pattern: &Regex,
        text: &str,
        kind: &'static str,
        stand_in: impl Fn(&Captures<'_>, usize) -> String,
    ) -> String {
        let replaced = pattern.replace_all(text, |found: &Captures<'_>| {
            let value = found.name("name").map_or(&found[0], |name| name.as_str());
            stand_in(found, self.number(kind, value))
        });
        replaced.into_owned()
    }

    fn number(&mut self, kind: &'static str, value: &str) -> usize {
        let count = self.counts.entry(kind).or_default();
        *self.known.entry((kind, value.to_owned())).or_insert_with(|| {
            *count += 1;
            *count
        })
    }

    fn foreign_names(&mut self, text: &str) -> String {
        if self.foreign.is_empty() {
            return text.to_owned();
        }
        let names: HashMap<&str, &str> =
            self.foreign.iter().map(|(name, stand_in)| (name.as_str(), stand_in.as_str())).collect();
        let stand_in =
            |found: &Captures<'_>| names.get(&found[0]).map_or_else(|| found[0].to_owned(), |&it| it.to_owned());
        let mut text = WORD.replace_all(text, stand_in).into_owned();
        for (name, stand_in) in self.foreign.iter().filter(|(name, _)| name.contains('=')) {
            text = text.replace(name, stand_in);
        }
        text
    }

    /// Account ids; those that stand in already are left.
    fn accounts(&mut self, text: &str) -> String {
        let replaced = DIGITS.replace_all(text, |found: &Captures<'_>| match &found[0] {
            value if value.len() == 12 && !value.starts_with("00000000") => {
                format!("{:012}", self.number("account", value))
            }
            value => value.to_owned(),
        });
        replaced.into_owned()
    }

    /// Public addresses; private ones and "everybody" say nothing.
    fn addresses(&mut self, text: &str) -> String {
        let replaced = ADDRESS.replace_all(text, |found: &Captures<'_>| {
            let Ok(address) = found[0].parse::<std::net::Ipv4Addr>() else { return found[0].to_owned() };
            if address.is_private() || address.is_loopback() || address.is_unspecified() || address.is_link_local() {
                return found[0].to_owned();
            }
            format!("192.0.2.{}", self.number("address", &found[0]) % 256)
        });
        replaced.into_owned()
    }
}

/// The scope and the names of the signed headers stay, since tests of signatures ask for them.
fn authorization(value: &str) -> String {
    let Some((algorithm, rest)) = value.split_once(' ').filter(|(_, rest)| rest.contains("Credential=")) else {
        return "REDACTED".to_owned();
    };
    let parts = rest.split(", ").map(|part| match part.split_once('=') {
        Some(("Credential", scope)) => {
            let scope = scope.split_once('/').map_or("", |(_, scope)| scope);
            format!("Credential=REDACTED/{scope}")
        }
        Some(("SignedHeaders", names)) => format!("SignedHeaders={names}"),
        Some((name, _)) => format!("{name}=REDACTED"),
        None => "REDACTED".to_owned(),
    });
    format!("{algorithm} {}", parts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(vec!["shop".to_owned()])
    }

    #[test]
    fn each_account_has_one_stand_in_wherever_it_stands() {
        let mut redactor = redactor();
        let text = "arn:aws:iam::111122223333:role/shop https://sqs.us-east-1.amazonaws.com/111122223333/shop-orders \
                    arn%3Aaws%3Aiam%3A%3A444455556666%3Arole%2Fshop 111122223333:444455556666 1732700000.123 1732700000123";
        let expected = "arn:aws:iam::000000000001:role/shop https://sqs.us-east-1.amazonaws.com/000000000001/shop-orders \
                    arn%3Aaws%3Aiam%3A%3A000000000002%3Arole%2Fshop 000000000001:000000000002 1732700000.123 1732700000123";
        assert_eq!(redactor.text(text), expected);
        assert_eq!(redactor.text("444455556666"), "000000000002");
    }

    #[test]
    fn keys_tokens_and_signatures_are_in_no_form_of_a_body() {
        let mut redactor = redactor();
        for text in [
            "<Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>wJalr/K7</SecretAccessKey>\
             <SessionToken>IQoJb3==</SessionToken></Credentials>",
            r#"{"roleCredentials":{"secretAccessKey":"wJalr/K7","sessionToken":"IQoJb3=="}}"#,
            r#"{"authorizationData":[{"authorizationToken":"QVdTOmV3J"}]}"#,
            "Action=AssumeRoleWithWebIdentity&WebIdentityToken=eyJhbGciOiJSUzI1.eyJzdWIiOiJzeXN0.c2lnbmF0dXJl&RoleArn=x",
            "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&X-Amz-Signature=deadbeef&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261127",
            "token k8s-aws-v1.aHR0cHM6Ly9zdHM",
            r#"{"detail":"bearer eyJhbGciOiJSUzI1.eyJzdWIiOiJzeXN0.c2lnbmF0dXJl"}"#,
            r#"{"ReceiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a"}"#,
        ] {
            let redacted = redactor.text(text);
            for secret in ["IOSFODNN7", "wJalr", "IQoJb3", "QVdTOmV3J", "eyJhbG", "deadbeef", "aHR0cHM6", "AQEBwJnK"] {
                assert!(!redacted.contains(secret), "{secret}: {redacted}");
            }
        }
    }

    #[test]
    fn a_header_that_signs_keeps_its_scope_alone() {
        let mut redactor = redactor();
        let signed = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261127/us-east-1/sqs/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=0123abcd";
        assert_eq!(
            redactor.header("authorization", signed),
            "AWS4-HMAC-SHA256 Credential=REDACTED/20261127/us-east-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature=REDACTED"
        );
        assert_eq!(redactor.header("authorization", "Bearer abc.def"), "REDACTED");
        assert_eq!(redactor.header("x-amz-security-token", "IQoJb3"), "REDACTED");
    }

    #[test]
    fn people_and_networks_have_stand_ins_of_the_same_shape() {
        let mut redactor = redactor();
        let text = redactor.text(
            "arn:aws:iam::111122223333:user/team/jane arn:aws:sts::111122223333:assumed-role/Admin/jane@corp.example \
             AIDAJQABLZS4A3QDU576Q subnet-0a1b2c3d4e5f60718 sg-12345678 203.0.113.9/32 0.0.0.0/0 10.0.1.2 \
             0a1b2c3d-0000-4000-8000-0123456789ab https://ABCDEF0123456789ABCDEF0123456789.gr7.us-east-1.eks.amazonaws.com",
        );
        assert_eq!(
            text,
            "arn:aws:iam::000000000001:user/person-1 arn:aws:sts::000000000001:assumed-role/Admin/session-1 \
             AIDA00000000000000001 subnet-00000000000000001 sg-00000002 192.0.2.1/32 0.0.0.0/0 10.0.1.2 \
             00000000-0000-4000-8000-000000000001 https://00000000000000000000000000000001.gr7.us-east-1.eks.amazonaws.com"
        );
    }

    #[test]
    fn people_in_forms_are_replaced_whole() {
        let mut redactor = redactor();
        let text = "PrincipalArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Auser%2Fteam%2Fjane%40corp&Version=1";
        assert_eq!(redactor.text(text), "PrincipalArn=arn%3Aaws%3Aiam%3A%3A000000000001%3Auser%2Fperson-1&Version=1");
    }

    #[test]
    fn names_of_what_the_account_holds_besides_the_stack_are_replaced_and_its_own_and_awss_stay() {
        let mut redactor = redactor();
        let answer = "<member><RoleName>payroll-admin</RoleName><Arn>arn:aws:iam::111122223333:role/payroll-admin</Arn>\
             <AssumeRolePolicyDocument>%7B%22partner%22%7D</AssumeRolePolicyDocument><Description>pays people</Description>\
             </member><member><RoleName>shop-fargate</RoleName></member><member><RoleName>AWSServiceRoleForSupport</RoleName>";
        redactor.learn(Some("ListRoles"), answer);
        let redacted = redactor.text(answer);
        for hidden in ["payroll", "partner", "pays people"] {
            assert!(!redacted.contains(hidden), "{redacted}");
        }
        assert!(redacted.contains("<RoleName>foreign-1</RoleName><Arn>arn:aws:iam::000000000001:role/foreign-1</Arn>"));
        assert!(redacted.contains("shop-fargate") && redacted.contains("AWSServiceRoleForSupport"), "{redacted}");
        // Also in what is asked about it next.
        assert_eq!(redactor.text("Action=GetRole&RoleName=payroll-admin"), "Action=GetRole&RoleName=foreign-1");
        redactor.learn(None, r#"{"clusters":["shop","payroll"]}"#);
        assert_eq!(redactor.text(r#"{"clusters":["shop","payroll"]}"#), r#"{"clusters":["shop","foreign-2"]}"#);
        // The stack's own documents are the record's worth.
        let own = "<AssumeRolePolicyDocument>%7B%22eks%22%7D</AssumeRolePolicyDocument>";
        redactor.learn(Some("GetRole"), own);
        assert_eq!(redactor.text(own), own);
    }
}
