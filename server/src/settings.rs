//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Settings of a server, resolved from flags and environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen. Port 0 takes a free one. Only a loopback address is accepted.
    pub listen: SocketAddr,
    /// The folder with the built site; `None` looks beside the executable.
    pub site_dir: Option<PathBuf>,
}
