//! Encrypted connections: whom to trust, and the handshake.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, ClientConnection, InvalidMessage, RootCertStore, StreamOwned,
};

use super::socket::StampedSocket;
use crate::error::Error;

/// The protocol's name in the handshake.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// How encrypted connections to one server are made.
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    http2: bool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).field("http2", &self.http2).finish_non_exhaustive()
    }
}

impl Tls {
    /// For the server `host`, trusting the authorities in `ca_file`, or the system's where it is `None`.
    pub fn new(host: &str, ca_file: Option<&Path>, http2: bool) -> Result<Self, Error> {
        let config = client_config(ca_file, if http2 { HTTP2 } else { HTTP1 })?;
        Ok(Tls { connector: TlsConnector::from(Arc::new(config)), name: server_name(host)?, http2 })
    }

    /// Shakes hands on `socket`.
    ///
    /// # Errors
    /// In words for people.
    pub async fn handshake(&self, socket: StampedSocket) -> Result<TlsStream<StampedSocket>, String> {
        let stream = self.connector.connect(self.name.clone(), socket).await.map_err(|error| explain(&error))?;
        if self.http2 && stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
            return Err("the server does not offer HTTP/2 on this port (by ALPN); leave HTTP/2 out".to_owned());
        }
        Ok(stream)
    }
}

/// How a thread that waits for its answers makes encrypted connections to one server.
pub(crate) struct BlockingTls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl std::fmt::Debug for BlockingTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockingTls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl BlockingTls {
    /// As [`Tls::new`], for HTTP/1.
    pub fn new(host: &str, ca_file: Option<&Path>) -> Result<Self, Error> {
        Ok(BlockingTls { config: Arc::new(client_config(ca_file, HTTP1)?), name: server_name(host)? })
    }

    /// An encrypted connection on `socket`; the handshake comes with the first write.
    pub fn over(&self, socket: TcpStream) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        Ok(StreamOwned::new(connection.map_err(io::Error::other)?, socket))
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| Error::Job(format!("the host {host:?} cannot be in a certificate; use its name or address")))
}

/// What is trusted and spoken.
fn client_config(ca_file: Option<&Path>, protocol: &[u8]) -> Result<ClientConfig, Error> {
    let roots = match ca_file {
        Some(path) => roots_of(path)?,
        None => system_roots()?,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Job(format!("cannot set up encrypted connections: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

fn roots_of(path: &Path) -> Result<RootCertStore, Error> {
    let bad = |detail: String| Error::Job(format!("cannot use the CA file {}: {detail}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))? {
        roots.add(certificate.map_err(|error| bad(error.to_string()))?).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("it holds no certificate in PEM form".to_owned()));
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::Job(
            "this system has no list of trusted certificate authorities, which https needs; \
             install one (the package ca-certificates) or name a CA file"
                .to_owned(),
        ));
    }
    Ok(roots)
}

/// Why a handshake failed, with what to do where that is known.
fn explain(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let advice = match cause {
        // The second is an authority of the same name with another key.
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "; give the authority that signed the server's certificate as the CA file"
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "; use the host name that the certificate holds",
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "; the server speaks no TLS on this port: write the base URL with http://"
        }
        Some(rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol)) => {
            "; the server does not offer the asked HTTP version"
        }
        _ if error.kind() == io::ErrorKind::UnexpectedEof => "; the server closed the connection inside the handshake",
        _ => "",
    };
    format!("{error}{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_certificates_is_refused_with_its_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path(), Path::new("/no/such/file.pem")] {
            let error = Tls::new("engine.example", Some(path), false).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}
