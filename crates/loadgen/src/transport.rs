//! HTTP/1.1 or HTTP/2 to one server, over TCP, TLS or a Unix socket, with a time stamp on every socket read.

mod base_url;
mod connection;
mod http1;
mod http2;
mod pool;
mod socket;
mod stream;
mod target;
mod tls;

pub(crate) use base_url::BaseUrl;
pub(crate) use connection::{Body, Connection, OpenError, SendError};
pub(crate) use pool::Pool;
pub(crate) use socket::SocketStamps;
pub(crate) use target::Target;
pub(crate) use tls::BlockingTls;
