//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::startup::StartError;

/// Settings of a server, resolved from flags and environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen. Port 0 takes a free one. Only a loopback address is accepted.
    pub listen: SocketAddr,
    /// The folder with the built site; `None` looks beside the executable.
    pub site_dir: Option<PathBuf>,
}

impl Settings {
    /// Checks what can be checked before anything is started.
    ///
    /// # Errors
    /// When the address is not loopback.
    pub fn check(&self) -> Result<(), StartError> {
        if self.listen.ip().is_loopback() { Ok(()) } else { Err(StartError::NotLoopback(self.listen)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_not_let_in() {
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
            let settings = Settings { listen: listen.parse().expect("an address"), site_dir: None };
            let error = settings.check().expect_err("no accounts yet");
            assert!(error.to_string().contains("SSH tunnel"), "{error}");
        }
    }
}
