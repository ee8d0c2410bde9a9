//! Secrets that Podium makes up: of links, sessions, tokens and invitations. They are told once; only hashes are stored.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// 244 random bits in hexadecimal: not to be guessed.
pub(crate) fn new_secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// What is stored of a secret. It needs no salt, since nobody chose it.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
