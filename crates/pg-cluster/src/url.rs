//! Connection URLs for a server on a Unix socket.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A URL that both libpq's programs and sqlx take. Everything that either would otherwise read from the environment is
/// spelled out.
pub(crate) fn socket_url(socket_dir: &Path, user: &str, database: &str) -> String {
    let host = percent_encode(socket_dir.as_os_str().as_bytes());
    let user = percent_encode(user.as_bytes());
    let database = percent_encode(database.as_bytes());
    format!("postgres:///{database}?host={host}&port=5432&user={user}&sslmode=disable")
}

/// Everything but unreserved characters as `%XX`.
fn percent_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_the_folder() {
        assert_eq!(
            socket_url(Path::new("/run/a b&c"), "podium", "podium"),
            "postgres:///podium?host=%2Frun%2Fa%20b%26c&port=5432&user=podium&sslmode=disable"
        );
    }
}
