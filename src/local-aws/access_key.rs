//! A long-lived access key, whose secret is never shown.

/// A long-lived access key.
#[derive(Clone)]
pub struct AccessKey {
    /// The key's id, such as `AKIA…`.
    pub id: String,
    /// The secret that requests are signed with.
    pub secret: String,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).field("secret", &"(redacted)").finish()
    }
}
