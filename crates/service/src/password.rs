//! Passwords that people choose.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use podium_formats::plan::Problem;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::error::{Error, Result};

/// The shortest password of a person, in characters.
const MIN_PERSON: usize = 10;

/// The shortest password of a link, in characters: it stands behind a secret address.
const MIN_LINK: usize = 4;

/// The longest password, in bytes: hashing must cost no more than is meant.
const MAX_BYTES: usize = 1024;

/// How many passwords are hashed at once: each takes 19 MiB and a core for a moment.
static HASHING: Semaphore = Semaphore::const_new(2);

/// A hash that no password has. Whoever signs in under an unknown name waits as long as under a known one.
static NOBODYS: LazyLock<Option<String>> = LazyLock::new(|| make_hash(&Uuid::new_v4().to_string()).ok());

/// What a password is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Person,
    Link,
}

/// The argon2 hash of a password.
///
/// # Errors
/// [`Error::Invalid`] for a password that is too short or too long; `field` names it.
pub(crate) async fn hash(password: String, purpose: Purpose, field: &str) -> Result<String> {
    let least = if purpose == Purpose::Person { MIN_PERSON } else { MIN_LINK };
    if password.chars().count() < least || password.len() > MAX_BYTES {
        let text = format!("a password has {least} characters or more, and {MAX_BYTES} bytes at most");
        return Err(Error::Invalid { problems: vec![Problem::new(field, None, text)] });
    }
    let _permit = HASHING.acquire().await.map_err(Error::internal)?;
    let made = tokio::task::spawn_blocking(move || make_hash(&password)).await.map_err(Error::internal)?;
    made.map_err(|error| Error::internal(anyhow::anyhow!("a password could not be hashed: {error}")))
}

/// Whether the password has this hash. It takes the same time where there is no hash.
pub(crate) async fn fits(password: String, hash: Option<String>) -> Result<bool> {
    if password.len() > MAX_BYTES {
        return Ok(false);
    }
    let _permit = HASHING.acquire().await.map_err(Error::internal)?;
    let check = move || {
        let is_known = hash.is_some();
        let Some(hash) = hash.or_else(|| NOBODYS.clone()) else { return false };
        let fits = PasswordHash::new(&hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        fits && is_known
    };
    tokio::task::spawn_blocking(check).await.map_err(Error::internal)
}

fn make_hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    let salt = SaltString::encode_b64(Uuid::new_v4().as_bytes())?;
    Ok(Argon2::default().hash_password(password.as_bytes(), &salt)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_alone() {
        let one = hash("correct horse".to_owned(), Purpose::Person, "password").await.unwrap();
        let other = hash("correct horse".to_owned(), Purpose::Person, "password").await.unwrap();
        assert!(one.starts_with("$argon2id$") && one != other, "{one}");
        assert!(fits("correct horse".to_owned(), Some(one.clone())).await.unwrap());
        assert!(!fits("correct house".to_owned(), Some(one)).await.unwrap());
        assert!(!fits("correct horse".to_owned(), None).await.unwrap());
        assert!(!fits("correct horse".to_owned(), Some("nonsense".to_owned())).await.unwrap());
    }

    #[tokio::test]
    async fn short_and_endless_passwords_are_refused_at_their_field() {
        let endless = "x".repeat(MAX_BYTES + 1);
        for (password, purpose) in
            [("ninechars", Purpose::Person), ("abc", Purpose::Link), (endless.as_str(), Purpose::Person)]
        {
            let Err(Error::Invalid { problems }) = hash(password.to_owned(), purpose, "new_password").await else {
                panic!("{password}")
            };
            assert_eq!(problems[0].path, "new_password");
        }
        assert!(hash("four".to_owned(), Purpose::Link, "password").await.is_ok());
        assert!(!fits(endless, None).await.unwrap());
    }
}
