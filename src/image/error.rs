//! What can go wrong between a program and its image.

use std::io;
use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An image could not be built, saved or pushed. Never holds a credential.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
pub enum Error {
    /// Containers run Linux programs.
    #[error(
        "this is a program for {0}, and containers need one for Linux; name the file of a Linux build of sluice with --program"
    )]
    NotLinux(&'static str),
    /// The file is no program that an image could run.
    #[error("{} is no program for Linux on amd64 or arm64; give the file of a Linux build of sluice", path.display())]
    OtherArchitecture {
        /// The file.
        path: PathBuf,
    },
    /// The file of the running program is gone or unreadable.
    #[error("failed to find the running program: {0}; start it again from a file that exists")]
    Program(#[source] io::Error),
    /// The program's headers do not say what it loads.
    #[error("failed to read what {} loads: {cause}; give an ELF executable", path.display())]
    Headers {
        /// The program.
        path: PathBuf,
        /// Why.
        cause: lddtree::Error,
    },
    /// A library that the program loads is not on this machine.
    #[error(
        "{} loads {library}, which is in none of the loader's folders; install it, or take a statically linked build, which \
         loads nothing",
        program.display()
    )]
    Library {
        /// The program.
        program: PathBuf,
        /// Name of the library.
        library: String,
    },
    /// A file of the image cannot be read.
    #[error("failed to read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The archive cannot be written.
    #[error("failed to write {}: {cause}; nothing was left there, so give a folder that exists and has room", path.display())]
    Write {
        /// The archive.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A part of the image cannot be expressed in the format.
    #[error("failed to describe the image: {0}; this is a bug of sluice")]
    Format(String),
    /// The reference is none.
    #[error("{text:?} is no image reference: {cause}; write REGISTRY/REPOSITORY:TAG")]
    Reference {
        /// As typed.
        text: String,
        /// Why.
        cause: String,
    },
    /// The reference does not say under which tag or digest.
    #[error("the image reference {text} has neither a tag nor a digest; add one, such as {text}:{}", env!("CARGO_PKG_VERSION"))]
    NoTag {
        /// As typed.
        text: String,
    },
    /// An archive's image is named by tag.
    #[error("the name {text} needs a tag and no digest, for the digest follows from the content; write NAME:TAG")]
    NameNeedsTag {
        /// As typed.
        text: String,
    },
    /// The reference names other content.
    #[error("the reference {text} asks for another image than this program's, which is {digest}; leave the digest out")]
    OtherDigest {
        /// As typed.
        text: String,
        /// The image's digest.
        digest: String,
    },
    /// Docker's configuration cannot be used.
    #[error("failed to take the credentials for {registry} from {}: {cause}", path.display())]
    Credentials {
        /// The registry.
        registry: String,
        /// The configuration file.
        path: PathBuf,
        /// Why, and what to do.
        cause: String,
    },
    /// No answer, or a broken connection.
    #[error("failed to reach the registry {registry}: {cause}; check its name and port and that it runs{hint}")]
    Unreachable {
        /// The registry.
        registry: String,
        /// Why.
        cause: String,
        /// `; …` or empty.
        hint: &'static str,
    },
    /// The registry knows the caller and says no, or does not know it.
    #[error(
        "the registry {registry} does not let {who} push to {repository}{answer}; run `docker login {registry}` as somebody who may"
    )]
    Denied {
        /// The registry.
        registry: String,
        /// With which credentials; never the credentials themselves.
        who: String,
        /// The repository.
        repository: String,
        /// `: …` or empty.
        answer: String,
    },
    /// Registries such as ECR want the repository made first.
    #[error("the registry {registry} has no repository {repository}{answer}; create it there, then push again")]
    NoRepository {
        /// The registry.
        registry: String,
        /// The repository.
        repository: String,
        /// `: …` or empty.
        answer: String,
    },
    /// The registry broke; a full disk shows like this.
    #[error(
        "the registry {registry} failed ({code}){answer}; look at its log and its free disk space, then push again \
         (what it has is not sent twice)"
    )]
    Broken {
        /// The registry.
        registry: String,
        /// HTTP status.
        code: u16,
        /// `: …` or empty.
        answer: String,
    },
    /// The registry refused for another reason.
    #[error("the registry {registry} refused {repository} ({code}){answer}{hint}")]
    Refused {
        /// The registry.
        registry: String,
        /// The repository.
        repository: String,
        /// HTTP status.
        code: u16,
        /// `: …` or empty.
        answer: String,
        /// `; …` or empty.
        hint: &'static str,
    },
    /// Whatever answers there, it does not speak the protocol.
    #[error("what answers at {registry} is no image registry: {cause}; check the name and the port{hint}")]
    NoRegistry {
        /// The registry.
        registry: String,
        /// What it did.
        cause: String,
        /// `; …` or empty.
        hint: &'static str,
    },
}
