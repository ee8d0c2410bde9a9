//! The table of everything the server answers.

use axum::Router;
use axum::extract::FromRef;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::middleware;
use leptos::config::LeptosOptions;
use leptos::prelude::provide_context;
use leptos_axum::{LeptosRoutes, generate_route_list, render_app_async_with_context};
use podium_app::{App, SiteRoot, shell};
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::guard::{AllowedHosts, refuse_foreign};
use crate::headers::secure;
use crate::site::Site;

/// What handlers share.
#[derive(Clone, Debug)]
struct AppState {
    leptos_options: LeptosOptions,
    site_root: SiteRoot,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos_options.clone()
    }
}

impl AppState {
    /// What pages and server functions find in their context, made anew for each request.
    fn provide(&self) {
        provide_context(self.site_root.clone());
    }
}

/// Every route with its middleware. The guard is the outermost, so that nothing runs for a foreign request.
pub(crate) fn router(site: &Site, allowed: AllowedHosts) -> Router {
    let state = AppState { leptos_options: site.leptos_options(), site_root: SiteRoot(site.root_path()) };
    let context = {
        let state = state.clone();
        move || state.provide()
    };
    let document = {
        let options = state.leptos_options.clone();
        move || shell(options.clone())
    };

    Router::new()
        .leptos_routes_with_context(&state, generate_route_list(App), context.clone(), document.clone())
        // Every other address renders the app as well: its router shows the page that says so, with status 404.
        .fallback(render_app_async_with_context(context, document))
        .with_state(state)
        .layer(CompressionLayer::new())
        // Already compressed by the build, so it stands outside that layer.
        .nest_service(&site.root_path(), assets(site))
        .layer(middleware::from_fn(secure))
        .layer(middleware::from_fn_with_state(allowed, refuse_foreign))
}

/// The built files. Their address holds their digest, so a browser never has to ask for one twice.
fn assets(site: &Site) -> Router {
    let keep = SetResponseHeaderLayer::overriding(CACHE_CONTROL, |response: &axum::response::Response| {
        let value = if response.status().is_success() { "public, max-age=31536000, immutable" } else { "no-store" };
        Some(HeaderValue::from_static(value))
    });
    Router::new().fallback_service(
        ServiceBuilder::new()
            .layer(keep)
            .map_response(|response: axum::http::Response<_>| response.map(axum::body::Body::new))
            .service(ServeDir::new(site.dir()).precompressed_gzip()),
    )
}
