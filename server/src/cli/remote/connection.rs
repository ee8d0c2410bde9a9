//! One request to a server, encrypted or not.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::settings::PublicUrl;

/// The largest answer; a report of very many candidates is some MiB.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// How long a server may take for one answer.
const LIMIT: Duration = Duration::from_secs(120);

/// How a server is reached. Each request has a connection of its own.
pub(super) struct Connection {
    server: PublicUrl,
    host: String,
    port: u16,
    /// Only for https.
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connection {
    pub(super) fn new(server: PublicUrl) -> anyhow::Result<Self> {
        let uri: http::Uri = server.origin().parse().context("the server's address cannot be read")?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if server.is_https() { 443 } else { 80 });
        let tls = if server.is_https() { Some((connector()?, ServerName::try_from(host.clone())?)) } else { None };
        Ok(Self { server, host, port, tls })
    }

    /// Scheme and authority.
    pub(super) fn origin(&self) -> String {
        self.server.origin()
    }

    /// Sends one request; status and body of the answer.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, self.server.authority());
        request = request.header(ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let exchange = async {
            let socket = TcpStream::connect((self.host.as_str(), self.port)).await?;
            match &self.tls {
                None => exchange(socket, request).await,
                Some((connector, name)) => exchange(connector.connect(name.clone(), socket).await?, request).await,
            }
        };
        let origin = self.origin();
        let answered = tokio::time::timeout(LIMIT, exchange).await;
        let answered = answered.map_err(|_| anyhow!("{origin} gave no answer within {} s", LIMIT.as_secs()))?;
        answered.with_context(|| format!("cannot talk to {origin}; check the address, and that podium runs there"))
    }
}

async fn exchange(
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let driver = tokio::spawn(connection);
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        anyhow::Ok((status, body.map_err(|error| anyhow!(error))?.to_bytes()))
    }
    .await;
    driver.abort();
    answered
}

/// Trusts whom the system trusts.
fn connector() -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    anyhow::ensure!(
        !roots.is_empty(),
        "this system has no list of trusted certificate authorities, which https needs; install ca-certificates"
    );
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
