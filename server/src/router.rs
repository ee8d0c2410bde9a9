//! The table of everything the server answers.

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::middleware;
use axum::{Extension, Router};
use leptos_axum::{LeptosRoutes, generate_route_list, render_app_async_with_context};
use podium_app::App;
use podium_service::Service;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::access::{Doorman, identify};
use crate::guard::{Guard, refuse_foreign};
use crate::headers::secure;
use crate::metrics::{Metrics, measure};
use crate::routes::{mount, table::authorize};
use crate::site::Site;
use crate::state::AppState;

/// Every route with its middleware. The guard stands before all of them, so that nothing runs for a foreign request;
/// only the headers stand before it, so that a refusal carries them as well. Streams end when `closing` is cancelled.
pub(crate) fn router(
    site: &Site,
    guard: Guard,
    doorman: Doorman,
    service: Service,
    closing: CancellationToken,
) -> Router {
    let state = AppState::new(site, service, doorman, closing);
    let context = {
        let state = state.clone();
        move || state.provide()
    };
    let document = state.document();

    mount(Router::new())
        .leptos_routes_with_context(&state, generate_route_list(App), context.clone(), document.clone())
        .route_layer(middleware::from_fn(authorize))
        .route_layer(middleware::from_fn(measure))
        // Every other address renders the app as well: its router shows the page that says so, with status 404.
        .fallback(render_app_async_with_context(context, document))
        // Before the fallback as well: that page looks different to somebody who is known.
        .layer(middleware::from_fn_with_state(state.clone(), identify))
        .layer(Extension(Metrics::new()))
        .with_state(state)
        .layer(CompressionLayer::new())
        // Already compressed by the build, so it stands outside that layer.
        .nest_service(&site.root_path(), assets(site))
        .layer(middleware::from_fn_with_state(guard, refuse_foreign))
        .layer(middleware::from_fn(secure))
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

#[cfg(test)]
pub(crate) mod tests {
    use axum::body::Body;
    use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN};
    use axum::http::{Request, StatusCode};
    use axum::response::Response;
    use http_body_util::BodyExt as _;
    use podium_launcher::Host;
    use podium_store::testing::TestDatabase;
    use tower::ServiceExt as _;

    use super::*;

    pub(crate) const OWN: &str = "127.0.0.1:8080";

    /// A router over a site of three tiny files and an empty database, and the folder that holds them.
    pub(crate) async fn fixture() -> (Router, tempfile::TempDir) {
        let (router, _, dir) = with_accounts(false).await;
        (router, dir)
    }

    /// As [`fixture`], with the service behind the router, and with accounts where they are demanded.
    pub(crate) async fn with_accounts(demands_accounts: bool) -> (Router, Service, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("pkg")).expect("writable");
        for name in ["podium.js", "podium_bg.wasm", "podium.css"] {
            std::fs::write(dir.path().join("pkg").join(name), name).expect("writable");
        }
        std::fs::write(dir.path().join("digest"), "0123abcd").expect("writable");
        let site = Site::find(Some(dir.path())).expect("a complete site");
        let store = TestDatabase::create().await.store;
        let host = Host::local(dir.path()).expect("this machine");
        let service = Service::on_machine(store, host, dir.path(), "a test's");
        let guard = Guard::new(([127, 0, 0, 1], 8080).into(), None, demands_accounts);
        let doorman = Doorman::new(demands_accounts, None);
        (router(&site, guard, doorman, service.clone(), CancellationToken::new()), service, dir)
    }

    pub(crate) async fn get(router: &Router, path: &str) -> Response {
        let request = Request::get(path).header(HOST, OWN).body(Body::empty()).expect("a request");
        router.clone().oneshot(request).await.expect("the router never fails")
    }

    pub(crate) async fn text(response: Response) -> String {
        let bytes = response.into_body().collect().await.expect("a whole body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn every_script_of_a_page_bears_the_nonce_of_its_policy() {
        let (router, _dir) = fixture().await;
        let response = get(&router, "/").await;
        assert_eq!(response.status(), StatusCode::OK);
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned();
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
        let page = text(response).await;
        let scripts = page.matches("<script").count();
        assert!(scripts > 0);
        assert_eq!(page.matches(&format!("nonce=\"{nonce}\"")).count(), scripts, "{page}");
        assert!(!page.contains("style=\""), "{page}");
        assert!(page.contains("/assets/0123abcd/pkg/podium.css"), "{page}");
    }

    #[tokio::test]
    async fn two_pages_never_share_a_nonce() {
        let (router, _dir) = fixture().await;
        let first = get(&router, "/").await.headers()[CONTENT_SECURITY_POLICY].clone();
        let second = get(&router, "/").await.headers()[CONTENT_SECURITY_POLICY].clone();
        assert_ne!(first, second);
    }

    #[tokio::test]
    async fn an_unknown_address_is_a_page_with_status_404() {
        let (router, _dir) = fixture().await;
        let response = get(&router, "/no/such/page").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(text(response).await.contains("Page not found"));
    }

    #[tokio::test]
    async fn built_files_are_kept_for_ever_and_missing_ones_are_not() {
        let (router, _dir) = fixture().await;
        let response = get(&router, "/assets/0123abcd/pkg/podium_bg.wasm").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/wasm");
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(text(response).await, "podium_bg.wasm");

        let response = get(&router, "/assets/0123abcd/pkg/other.js").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    }

    #[tokio::test]
    async fn nothing_outside_the_site_folder_is_served() {
        let (router, dir) = fixture().await;
        let outside = dir.path().with_extension("secret");
        std::fs::write(&outside, "secret").expect("writable");
        let name = outside.file_name().and_then(|name| name.to_str()).expect("a name");
        for path in [format!("/assets/0123abcd/../{name}"), format!("/assets/0123abcd/%2e%2e/{name}")] {
            assert_ne!(get(&router, &path).await.status(), StatusCode::OK, "{path}");
        }
        std::fs::remove_file(outside).expect("removable");
    }

    #[tokio::test]
    async fn pages_are_compressed_where_the_browser_takes_it() {
        let (router, _dir) = fixture().await;
        let request = Request::get("/").header(HOST, OWN).header("accept-encoding", "gzip");
        let response = router.oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    }

    #[tokio::test]
    async fn a_foreign_change_to_a_server_function_is_refused_in_its_own_terms() {
        let (router, _dir) = fixture().await;
        let request = Request::post("/api/anything").header(HOST, OWN).header(ORIGIN, "http://evil.example");
        let response = router.oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert!(response.headers().contains_key(CONTENT_SECURITY_POLICY));
        assert!(text(response).await.contains("\"kind\":\"forbidden\""));
    }
}
