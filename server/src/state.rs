//! What handlers share.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRef;
use axum::http::Request;
use axum::http::request::Parts;
use axum::response::Response;
use leptos::config::LeptosOptions;
use leptos::prelude::{AnyView, IntoAny as _, provide_context};
use leptos_axum::render_app_async_with_context;
use podium_app::context::{Accounts, ApiDocument, PublicOrigin};
use podium_app::{SiteRoot, shell};
use podium_service::Service;
use tokio_util::sync::CancellationToken;

use crate::access::Doorman;
use crate::site::Site;

/// Made once, cloned for each request.
#[derive(Clone, Debug)]
pub(crate) struct AppState {
    leptos_options: LeptosOptions,
    site_root: SiteRoot,
    /// The use cases.
    pub(crate) service: Service,
    /// Who is let in.
    pub(crate) doorman: Doorman,
    api: ApiDocument,
    /// Cancelled when the server stops: streams that would never end by themselves end then.
    pub(crate) closing: CancellationToken,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos_options.clone()
    }
}

impl AppState {
    pub(crate) fn new(site: &Site, service: Service, doorman: Doorman, closing: CancellationToken) -> Self {
        let api = ApiDocument(Arc::new(crate::routes::api::document_json()));
        let site_root = SiteRoot(site.root_path());
        Self { leptos_options: site.leptos_options(), site_root, service, doorman, api, closing }
    }

    /// What pages and server functions find in their context, made anew for each request.
    pub(crate) fn provide(&self) {
        provide_context(self.site_root.clone());
        provide_context(self.service.clone());
        provide_context(self.api.clone());
        provide_context(PublicOrigin(self.doorman.public_origin()));
        provide_context(Accounts { demanded: self.doorman.demands_accounts() });
    }

    /// Makes the document around every page.
    pub(crate) fn document(&self) -> impl Fn() -> AnyView + Clone + Send + Sync + use<> {
        let options = self.leptos_options.clone();
        move || shell(options.clone()).into_any()
    }

    /// Renders the page of a request's address, with more in its context: the answer to a posted form.
    pub(crate) async fn page(&self, parts: Parts, more: impl Fn() + Clone + Send + Sync + 'static) -> Response {
        let state = self.clone();
        let context = move || {
            state.provide();
            more();
        };
        let render = render_app_async_with_context(context, self.document());
        render(Request::from_parts(parts, Body::empty())).await
    }
}
