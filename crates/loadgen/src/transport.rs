//! HTTP/1.1 to one server, with a time stamp on every socket read.

mod connection;
mod io;
mod pool;
mod target;

pub(crate) use connection::{Connection, SendError};
pub(crate) use io::SocketStamps;
pub(crate) use pool::Pool;
pub(crate) use target::Target;
