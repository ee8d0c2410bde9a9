//! Connections that are kept between requests.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::connection::{Connection, OpenError};
use super::stream::Scratch;
use super::target::Target;

/// A server that closes a connection sooner than this after an answer does not keep connections.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// As many connections to one server as its requests need; the one that was used last is used first.
///
/// Some servers announce that they keep connections and close them right after each streamed answer (llama.cpp's does).
/// A request on such a connection is lost in a race that has nothing to do with the load. So the first connection that
/// turns out closed soon after its answer ends the reuse for the whole run: from then on each request gets a new one.
pub(crate) struct Pool {
    target: Target,
    scratch: Scratch,
    idle: RefCell<Vec<Connection>>,
    keeps: Cell<bool>,
    resent: Cell<u32>,
}

impl Pool {
    /// An empty pool.
    pub fn new(target: Target) -> Self {
        Pool { target, scratch: Scratch::new(), idle: RefCell::default(), keeps: Cell::new(true), resent: Cell::new(0) }
    }

    /// The server.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// A connection that the server has not closed, as far as can be told.
    pub fn take_idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.borrow_mut().pop()?;
            let kept_for = connection.kept_for();
            if !connection.is_usable() {
                self.note_closed(kept_for);
            } else if self.keeps.get() || kept_for.is_none() {
                return Some(connection);
            }
        }
    }

    /// A new connection, `within` this time for each part of opening it.
    pub async fn open(&self, within: Duration) -> Result<Connection, OpenError> {
        Connection::open(&self.target, &self.scratch, within).await
    }

    /// Keeps a connection that carries no request.
    pub fn put_back(&self, mut connection: Connection) {
        if connection.is_usable() && (self.keeps.get() || connection.kept_for().is_none()) {
            self.idle.borrow_mut().push(connection);
        }
    }

    /// Notes that a request was lost because the server had closed its kept connection, and goes out again.
    pub fn note_resent(&self, kept_for: Duration) {
        self.resent.set(self.resent.get().saturating_add(1));
        self.note_closed(Some(kept_for));
    }

    /// How many requests went out again.
    pub fn resent(&self) -> u32 {
        self.resent.get()
    }

    /// How many connections are kept.
    pub fn idle_count(&self) -> usize {
        self.idle.borrow().len()
    }

    fn note_closed(&self, kept_for: Option<Duration>) {
        if kept_for.is_some_and(|kept_for| kept_for < SHORTEST_KEEP_ALIVE) {
            self.keeps.set(false);
        }
    }
}
