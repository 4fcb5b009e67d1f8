//! Unguessable identifiers and secrets in the shapes that AWS gives them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

fn random(bytes: usize) -> Vec<u8> {
    // Version 4 UUIDs come from the operating system's generator; their fixed bits are harmless here.
    std::iter::repeat_with(|| *uuid::Uuid::new_v4().as_bytes()).flatten().take(bytes).collect()
}

/// A unique id such as `AROA` and seventeen characters of base 32.
pub(crate) fn unique(prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let tail = random(17).into_iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    prefix.chars().chain(tail).collect()
}

/// The id of an EC2 resource, such as `vpc-` and seventeen hexadecimal digits.
pub(crate) fn ec2(prefix: &str) -> String {
    let mut tail = hex::encode(random(9));
    tail.truncate(17);
    format!("{prefix}{tail}")
}

/// A secret access key: forty characters.
pub(crate) fn secret() -> String {
    STANDARD.encode(random(30))
}

/// A session token of at least `size` bytes: opaque, only its presence in the session table counts.
pub(crate) fn session_token(size: usize) -> String {
    let bytes = (size * 3).div_ceil(4).max(240);
    format!("IQoJ{}", STANDARD.encode(random(bytes)))
}

/// A random UUID.
pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}
