//! Doors in front of a server that speaks plain HTTP/1.1 over TCP: TLS, a Unix socket, HTTP/2. What comes in goes on to
//! the server as it is, so that the server's records stay the truth.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use podium_sim::truth::TruthServer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What a door leads into.
#[derive(Clone, Copy)]
pub enum Speaks {
    Http1,
    Http2,
}

/// A door on a free port; dropping the set closes it and every connection through it.
pub async fn open_tcp(server: &TruthServer, tls: Option<TlsAcceptor>, speaks: Speaks) -> (JoinSet<()>, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (address, server) = (listener.local_addr().unwrap(), server.addr());
    let mut door = JoinSet::new();
    door.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let tls = tls.clone();
            connections.spawn(async move {
                match tls {
                    None => pass(stream, server, speaks).await,
                    // A client that does not trust the certificate ends the handshake.
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => pass(stream, server, speaks).await,
                        Err(error) => Err(error),
                    },
                }
            });
        }
    });
    (door, address)
}

/// A server that takes whatever comes first for a bad request, as one does that is greeted in TLS and speaks none.
pub async fn open_plain() -> (JoinSet<()>, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut door = JoinSet::new();
    door.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut greeting = [0; 4096];
            // A client that leaves at once is as good.
            if stream.read(&mut greeting).await.is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            }
        }
    });
    (door, address)
}

/// A door at a path.
pub fn open_unix(server: &TruthServer, path: &Path) -> JoinSet<()> {
    let (listener, server) = (UnixListener::bind(path).unwrap(), server.addr());
    let mut door = JoinSet::new();
    door.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(pass(stream, server, Speaks::Http1));
        }
    });
    door
}

async fn pass(
    mut client: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    server: SocketAddr,
    speaks: Speaks,
) -> io::Result<()> {
    match speaks {
        Speaks::Http1 => {
            let mut server = TcpStream::connect(server).await?;
            server.set_nodelay(true)?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
        }
        Speaks::Http2 => {
            let mut client = h2::server::handshake(client).await.map_err(io::Error::other)?;
            let mut requests = JoinSet::new();
            while let Some(accepted) = client.accept().await {
                let (request, respond) = accepted.map_err(io::Error::other)?;
                requests.spawn(async move { answer(request, respond, server).await.unwrap() });
            }
        }
    }
    Ok(())
}

/// Carries one HTTP/2 request to the server and its answer back, piece by piece.
async fn answer(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    server: SocketAddr,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (head, mut body) = request.into_parts();
    assert_eq!(head.uri.scheme_str().map(|scheme| scheme.starts_with("http")), Some(true));
    assert!(head.uri.authority().is_some() && !head.headers.contains_key("host"));
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        whole.extend_from_slice(&piece);
    }
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let onward = http::Request::post(head.uri.path())
        .header("host", server.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(whole)))?;
    let (answer, mut pieces) = sender.send_request(onward).await?.into_parts();
    let mut response = http::Response::builder().status(answer.status);
    if let Some(kind) = answer.headers.get("content-type") {
        response = response.header("content-type", kind);
    }
    let mut sending = respond.send_response(response.body(())?, false)?;
    while let Some(frame) = pieces.frame().await {
        match frame {
            Ok(frame) => {
                if let Ok(piece) = frame.into_data() {
                    sending.send_data(piece, false)?;
                }
            }
            Err(_cut) => {
                sending.send_reset(h2::Reason::INTERNAL_ERROR);
                return Ok(());
            }
        }
    }
    sending.send_data(Bytes::new(), true)?;
    drop(sender);
    connection.await??;
    Ok(())
}
