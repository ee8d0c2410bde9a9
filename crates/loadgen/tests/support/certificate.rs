//! Certificates for tests, trusted by nobody else.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A throw-away certificate for `localhost`, which signs itself.
pub struct Certificate {
    signed: rcgen::CertifiedKey<rcgen::KeyPair>,
    folder: tempfile::TempDir,
}

impl Certificate {
    pub fn new() -> Self {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), signed.cert.pem()).unwrap();
        Certificate { signed, folder }
    }

    /// The file by which a client trusts it.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server with it that offers `alpn`.
    pub fn acceptor(&self, alpn: &[&str]) -> TlsAcceptor {
        let key = PrivatePkcs8KeyDer::from(self.signed.signing_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.signed.cert.der().clone()], key.into())
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}
