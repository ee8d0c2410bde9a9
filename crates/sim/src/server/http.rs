//! Routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use podium_domain::framework::Framework;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::driver::EngineHandle;
use super::{generate, info, metrics};
use crate::cli::ServerOptions;
use crate::openai::{Endpoint, error_body};

const SIMULATED: HeaderName = HeaderName::from_static("x-podium-simulated");
/// Prompts of a million token ids fit.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// What every handler sees.
pub(super) struct App {
    pub options: ServerOptions,
    pub engine: EngineHandle,
    pub created_unix_s: u64,
    /// Generation requests that ended, however they did.
    pub ended_requests: AtomicU64,
    next_answer: AtomicU64,
    ready: watch::Sender<bool>,
}

impl App {
    pub(super) fn new(options: ServerOptions, engine: EngineHandle) -> App {
        let created_unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        App {
            options,
            engine,
            created_unix_s,
            ended_requests: AtomicU64::new(0),
            next_answer: AtomicU64::new(0),
            ready: watch::Sender::new(false),
        }
    }

    pub(super) fn set_ready(&self) {
        self.ready.send_replace(true);
    }

    pub(super) fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    pub(super) async fn wait_ready(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// A new answer's id.
    pub(super) fn answer_id(&self, endpoint: Endpoint) -> String {
        let number = self.next_answer.fetch_add(1, Ordering::Relaxed);
        let prefix = if endpoint == Endpoint::Chat { "chatcmpl" } else { "cmpl" };
        format!("{prefix}-sim-{:x}-{number}", self.created_unix_s)
    }

    pub(super) fn main_name(&self) -> &str {
        self.options.served_names.first().map_or(self.options.model.as_str(), String::as_str)
    }
}

/// Serves until `stop`, then until the open answers are done.
pub(super) async fn serve(listener: TcpListener, app: Arc<App>, stop: CancellationToken) {
    let listener = listener.tap_io(|stream| {
        // Tokens must leave at once; where the kernel refuses, they leave a little later.
        let _ = stream.set_nodelay(true);
    });
    let serving = axum::serve(listener, router(app)).with_graceful_shutdown(stop.cancelled_owned());
    // The error type exists, but axum documents that this never fails.
    let _ = serving.await;
}

fn router(app: Arc<App>) -> Router {
    let router = Router::new()
        .route("/health", get(health))
        .route("/v1/models", get(models))
        .route("/v1/completions", post(completions))
        .route("/v1/chat/completions", post(chat))
        .route("/metrics", get(show_metrics));
    let router = match app.options.framework {
        Framework::Vllm | Framework::Tokenspeed => router.route("/version", get(version)),
        Framework::TensorrtLlm => {
            router.route("/version", get(version)).route("/prometheus/metrics", get(show_metrics))
        }
        Framework::Sglang => router
            .route("/get_server_info", get(server_info))
            .route("/server_info", get(server_info))
            .route("/get_model_info", get(model_info))
            .route("/model_info", get(model_info))
            .route("/health_generate", get(health)),
        Framework::LlamaCpp => router.route("/props", get(props)),
    };
    router
        .fallback(async || error(StatusCode::NOT_FOUND, "NotFoundError", "there is nothing at this path"))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(map_response(mark_simulated))
        .with_state(app)
}

async fn mark_simulated(mut response: Response) -> Response {
    response.headers_mut().insert(SIMULATED, HeaderValue::from_static("1"));
    response
}

/// A JSON response.
pub(super) fn respond(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// An error in the protocol's shape.
pub(super) fn error(status: StatusCode, kind: &str, message: &str) -> Response {
    respond(status, &error_body(status.as_u16(), kind, message))
}

/// The answer of a server that still loads.
pub(super) fn loading() -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, "unavailable_error", "Loading model")
}

async fn health(State(app): State<Arc<App>>) -> Response {
    if !app.is_ready() {
        return loading();
    }
    match app.options.framework {
        Framework::LlamaCpp => respond(StatusCode::OK, &json!({ "status": "ok" })),
        _ => StatusCode::OK.into_response(),
    }
}

async fn models(State(app): State<Arc<App>>) -> Response {
    if !app.is_ready() {
        return loading();
    }
    respond(StatusCode::OK, &info::models(&app))
}

async fn version(State(_): State<Arc<App>>) -> Response {
    respond(StatusCode::OK, &json!({ "version": info::VERSION, "simulated": true }))
}

async fn server_info(State(app): State<Arc<App>>) -> Response {
    match app.engine.stats().await {
        Some(stats) => respond(StatusCode::OK, &info::server_info(&app, &stats)),
        None => engine_dead(),
    }
}

async fn model_info(State(app): State<Arc<App>>) -> Response {
    respond(StatusCode::OK, &info::model_info(&app))
}

async fn props(State(app): State<Arc<App>>) -> Response {
    respond(StatusCode::OK, &info::props(&app))
}

async fn show_metrics(State(app): State<Arc<App>>) -> Response {
    if !app.options.metrics {
        let message = "metrics are off: start the server with --metrics (llama.cpp) or --enable-metrics (SGLang)";
        return error(StatusCode::NOT_FOUND, "NotFoundError", message);
    }
    match app.engine.stats().await {
        Some(stats) => {
            let text = metrics::render(app.options.framework, app.main_name(), &stats);
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        None => engine_dead(),
    }
}

/// The answer of a server whose engine died a moment ago.
pub(super) fn engine_dead() -> Response {
    error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "EngineCore encountered an issue")
}

async fn completions(State(app): State<Arc<App>>, body: Bytes) -> Response {
    generate::generate(app, Endpoint::Completions, &body).await
}

async fn chat(State(app): State<Arc<App>>, body: Bytes) -> Response {
    generate::generate(app, Endpoint::Chat, &body).await
}
