//! What an image is called: a reference that says exactly which one.

use std::fmt;

use oci_client::Reference;

use crate::error::{Error, Result};

/// A reference with a tag, a digest or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    typed: String,
    reference: Reference,
}

impl Name {
    /// Parses a reference as Docker does, except that `latest` is not added to one that says neither tag nor digest:
    /// what a cluster runs should be written down.
    ///
    /// # Errors
    ///
    /// [`Error::Reference`] if the text is no reference. [`Error::NoTag`] if it says neither tag nor digest.
    pub fn parse(text: &str) -> Result<Self> {
        let reference: Reference = text.parse().map_err(|cause: oci_client::ParseError| Error::Reference {
            text: text.to_owned(),
            cause: cause.to_string(),
        })?;
        let name = Self { typed: text.to_owned(), reference };
        if name.reference.digest().is_none() && !name.says_tag() {
            return Err(Error::NoTag { text: text.to_owned() });
        }
        Ok(name)
    }

    /// The same for an archive, whose image has a tag and gets its digest from the content.
    ///
    /// # Errors
    ///
    /// Those of [`Name::parse`]. [`Error::NameNeedsTag`] if the reference says a digest.
    pub fn parse_tagged(text: &str) -> Result<Self> {
        let name = Self::parse(text)?;
        match name.reference.digest() {
            None => Ok(name),
            Some(_) => Err(Error::NameNeedsTag { text: text.to_owned() }),
        }
    }

    /// The parser fills in `latest`, so the text itself has to be asked.
    fn says_tag(&self) -> bool {
        let path = self.typed.split('@').next().unwrap_or_default();
        path.rsplit('/').next().is_some_and(|last| last.contains(':'))
    }

    /// The registry's host, with its port.
    pub fn registry(&self) -> &str {
        self.reference.registry()
    }

    /// The repository in the registry.
    pub fn repository(&self) -> &str {
        self.reference.repository()
    }

    /// The tag, if one was written.
    pub fn tag(&self) -> Option<&str> {
        self.reference.tag().filter(|_| self.says_tag())
    }

    /// The digest that was asked for.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.reference.digest()
    }

    /// Refuses a reference to content that is not this.
    pub(crate) fn expect_digest(&self, digest: &str) -> Result<()> {
        match self.digest() {
            Some(requested) if requested != digest => {
                Err(Error::OtherDigest { text: self.typed.clone(), digest: digest.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Where the client is to put the manifest: under the tag, or else under the digest.
    ///
    /// The digest takes the tag's place, because the client panics on a reference without a tag when a registry (ECR)
    /// leaves out the answer's `Location`; the URL is the same.
    pub(crate) fn location(&self) -> Reference {
        let last = self.tag().or(self.digest()).unwrap_or_default();
        Reference::with_tag(self.registry().to_owned(), self.repository().to_owned(), last.to_owned())
    }

    /// Whether the registry is this machine: such a one has no certificate.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.registry().split(':').next().unwrap_or_default();
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Name {
    /// With registry and repository written out, as containerd and Kubernetes look it up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry(), self.repository())?;
        if let Some(tag) = self.tag() {
            write!(f, ":{tag}")?;
        }
        self.digest().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_is_written_out_as_docker_understands_it() {
        for (typed, full) in [
            ("sluice:1", "docker.io/library/sluice:1"),
            ("me/sluice:1", "docker.io/me/sluice:1"),
            ("localhost:5000/sluice:1", "localhost:5000/sluice:1"),
            ("registry.example/a/b/sluice:v1.2-x", "registry.example/a/b/sluice:v1.2-x"),
        ] {
            assert_eq!(Name::parse(typed).unwrap().to_string(), full);
        }
        let both = format!("registry.example/sluice:1@{DIGEST}");
        assert_eq!(Name::parse(&both).unwrap().to_string(), both);
    }

    #[test]
    fn neither_tag_nor_digest_is_refused_with_what_to_write() {
        for text in ["sluice", "localhost:5000/sluice", "registry.example/team/sluice"] {
            let error = Name::parse(text).unwrap_err();
            assert!(matches!(error, Error::NoTag { .. }), "{error}");
            assert!(error.to_string().contains(&format!("such as {text}:")), "{error}");
        }
        assert_eq!(Name::parse(&format!("localhost:5000/sluice@{DIGEST}")).unwrap().tag(), None);
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in ["", ":1", "Sluice:1", "sluice:1:2", "sluice:-x", "a b:1", "https://registry.example/sluice:1"] {
            assert!(matches!(Name::parse(text), Err(Error::Reference { .. })), "{text}");
        }
    }

    #[test]
    fn an_archive_is_named_by_tag_only() {
        assert!(Name::parse_tagged("sluice:1").is_ok());
        let error = Name::parse_tagged(&format!("sluice:1@{DIGEST}")).unwrap_err();
        assert!(matches!(error, Error::NameNeedsTag { .. }), "{error}");
    }

    #[test]
    fn a_digest_must_be_the_images_own() {
        let name = Name::parse(&format!("registry.example/sluice@{DIGEST}")).unwrap();
        assert!(name.expect_digest(DIGEST).is_ok());
        assert!(matches!(name.expect_digest("sha256:ff"), Err(Error::OtherDigest { .. })));
        assert_eq!(name.location().tag(), Some(DIGEST));
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, expected) in [
            ("localhost:5000/s:1", true),
            ("127.0.0.1:5000/s:1", true),
            ("127.1.2.3:80/s:1", true),
            ("registry.example:5000/s:1", false),
            ("localhost.example/s:1", false),
            ("10.0.0.1:5000/s:1", false),
            ("s:1", false),
        ] {
            assert_eq!(Name::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }
}
