//! Connections that are kept between requests.

use std::cell::RefCell;
use std::io;

use super::connection::Connection;
use super::io::Scratch;
use super::target::Target;

/// As many connections to one server as its requests need; the one that was used last is used first.
pub(crate) struct Pool {
    target: Target,
    scratch: Scratch,
    idle: RefCell<Vec<Connection>>,
}

impl Pool {
    /// An empty pool.
    pub fn new(target: Target) -> Self {
        Pool { target, scratch: Scratch::new(), idle: RefCell::default() }
    }

    /// The server.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// A kept connection that the server has not closed.
    pub fn take_idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.borrow_mut().pop()?;
            if connection.is_usable() {
                return Some(connection);
            }
        }
    }

    /// A new connection.
    pub async fn open(&self) -> io::Result<Connection> {
        Connection::open(&self.target, &self.scratch).await
    }

    /// Keeps a connection whose answer was read to its end.
    pub fn put_back(&self, mut connection: Connection) {
        if connection.is_usable() {
            self.idle.borrow_mut().push(connection);
        }
    }

    /// How many connections are kept.
    pub fn idle_count(&self) -> usize {
        self.idle.borrow().len()
    }
}
