//! A server from its settings to its end.

use std::net::SocketAddr;

use axum::Router;
use podium_service::Service;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access::Doorman;
use crate::guard::Guard;
use crate::router::router;
use crate::settings::Settings;
use crate::site::{Site, SiteError};

/// The server cannot start, or broke down.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is not free or not this machine's.
    #[error("cannot listen on {address}: {source}; choose another port with --listen, or stop what uses this one")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing to show.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The listening socket failed while serving.
    #[error("the server stopped because its socket failed: {0}")]
    Serve(#[source] std::io::Error),
}

/// A server that is bound to its address and ready to run.
#[derive(Debug)]
pub struct Application {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    /// Ends the streams that would keep their connections open for ever.
    closing: CancellationToken,
}

impl Application {
    /// Binds the address; requests wait until [`run_until_stopped`](Self::run_until_stopped).
    ///
    /// # Errors
    /// When the address is not free, or no site is found.
    pub async fn build(settings: &Settings, service: Service) -> Result<Self, StartError> {
        let site = Site::find(settings.site_dir.as_deref())?;
        let bind_error = |source| StartError::Bind { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        let closing = CancellationToken::new();
        let (public_url, accounts) = (settings.public_url.as_ref(), settings.demands_accounts());
        let guard = Guard::new(address, public_url, accounts);
        let doorman = Doorman::new(accounts, public_url.cloned());
        let router = router(&site, guard, doorman, service, closing.clone());
        Ok(Self { listener, address, router, closing })
    }

    /// The address it is bound to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it is bound to: the one that was found free where the settings said 0.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Serves until `stop` is cancelled, then lets the requests that are under way finish.
    ///
    /// # Errors
    /// When the listening socket fails.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> Result<(), StartError> {
        let closing = self.closing;
        let stopped = async move {
            stop.cancelled().await;
            closing.cancel();
        };
        let service = self.router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(self.listener, service).with_graceful_shutdown(stopped).await.map_err(StartError::Serve)
    }
}
