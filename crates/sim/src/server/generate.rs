//! Generation requests: from the body to the last event.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::stream;
use podium_domain::framework::Framework;
use tokio::time::Instant;

use super::driver::{Running, SubmitError};
use super::http::{self, App};
use crate::cli::Fault;
use crate::engine::{Emission, NewRequest};
use crate::openai::{Endpoint, FinishReason, GenerationRequest, ResponseStyle, Usage};

/// Output text: each token is one of these. All have four bytes, so that counting by the prompt's rule gives the same
/// number of tokens.
const TOKENS: [&str; 8] = [" sim", "ulat", "ed t", "oken", "s, n", "ot a", " mod", "el. "];

/// Counts a request as ended when it is dropped, however that comes about.
struct EndOfRequest(Arc<App>);

impl Drop for EndOfRequest {
    fn drop(&mut self) {
        self.0.ended_requests.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) async fn generate(app: Arc<App>, endpoint: Endpoint, body: &[u8]) -> Response {
    let arrived = Instant::now();
    if !app.is_ready() {
        return http::loading();
    }
    match app.options.fault {
        Some(Fault::Http500) => {
            let message = "the fault `http500` was asked for";
            return http::error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message);
        }
        Some(Fault::CrashAfter(requests)) if app.ended_requests.load(Ordering::Relaxed) >= requests => {
            app.engine.die();
            return http::engine_dead();
        }
        _ => {}
    }
    let ended = EndOfRequest(Arc::clone(&app));
    let request = match GenerationRequest::parse(endpoint, body) {
        Ok(request) => request,
        Err(error) => return http::error(StatusCode::BAD_REQUEST, "BadRequestError", &error.to_string()),
    };
    // llama.cpp, SGLang and TensorRT-LLM answer under any name.
    let strict = matches!(app.options.framework, Framework::Vllm | Framework::Tokenspeed);
    if strict && !request.model.is_empty() && !app.options.served_names.contains(&request.model) {
        let message = format!("The model `{}` does not exist.", request.model);
        return http::error(StatusCode::NOT_FOUND, "NotFoundError", &message);
    }
    let style = ResponseStyle {
        endpoint,
        id: app.answer_id(endpoint),
        model: if request.model.is_empty() { app.main_name().to_owned() } else { request.model },
        created: app.created_unix_s,
    };
    let new = NewRequest {
        prompt: request.prompt,
        max_tokens: request.max_tokens,
        min_tokens: request.min_tokens,
        ignore_eos: request.ignore_eos,
    };
    if !app.options.pre_scheduler.is_zero() {
        tokio::time::sleep_until(arrived + app.options.pre_scheduler).await;
    }
    let running = match app.engine.submit(new, arrived.elapsed()).await {
        Ok(running) => running,
        Err(SubmitError::Rejected(rejection)) => {
            return http::error(StatusCode::BAD_REQUEST, "BadRequestError", &rejection.to_string());
        }
        Err(SubmitError::EngineDead) => return http::engine_dead(),
    };
    if request.stream {
        streamed(Answer { running, style, include_usage: request.include_usage, sent_tokens: 0, ended, over: false })
    } else {
        whole(running, &style).await
    }
}

async fn whole(mut running: Running, style: &ResponseStyle) -> Response {
    let mut text = String::new();
    let mut tokens = 0;
    while let Some(emission) = running.next().await {
        push_text(&mut text, tokens, emission.tokens);
        tokens += emission.tokens;
        if let Some(finish) = emission.finish {
            return http::respond(StatusCode::OK, &style.whole(&text, finish.reason, finish.usage));
        }
    }
    http::engine_dead()
}

struct Answer {
    running: Running,
    style: ResponseStyle,
    include_usage: bool,
    sent_tokens: u32,
    ended: EndOfRequest,
    over: bool,
}

fn streamed(answer: Answer) -> Response {
    let events = stream::unfold(answer, |mut answer| async move {
        if answer.over {
            // Dropped here and not with the last event, so that a request counts as ended when its body is.
            drop(answer.ended);
            return None;
        }
        let piece = match answer.running.next().await {
            Some(emission) => Ok(answer.encode(emission)),
            None => {
                answer.over = true;
                Err(io::Error::other("the engine died"))
            }
        };
        Some((piece, answer))
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

impl Answer {
    /// The events of one step, as one piece: a step's tokens leave together.
    fn encode(&mut self, emission: Emission) -> Bytes {
        let mut piece = String::new();
        if self.sent_tokens == 0 && self.style.endpoint == Endpoint::Chat {
            push_event(&mut piece, &self.style.role_event().to_string());
        }
        let mut text = String::new();
        push_text(&mut text, self.sent_tokens, emission.tokens);
        push_event(&mut piece, &self.style.text_event(&text).to_string());
        self.sent_tokens += emission.tokens;
        if let Some(finish) = emission.finish {
            self.push_end(&mut piece, finish.reason, finish.usage);
        }
        Bytes::from(piece)
    }

    fn push_end(&mut self, piece: &mut String, reason: FinishReason, usage: Usage) {
        push_event(piece, &self.style.finish_event(reason).to_string());
        if self.include_usage {
            push_event(piece, &self.style.usage_event(usage).to_string());
        }
        push_event(piece, "[DONE]");
        self.over = true;
    }
}

fn push_event(piece: &mut String, data: &str) {
    piece.push_str("data: ");
    piece.push_str(data);
    piece.push_str("\n\n");
}

fn push_text(text: &mut String, first_token: u32, tokens: u32) {
    text.extend((first_token..first_token.saturating_add(tokens)).map(|token| TOKENS[token as usize % TOKENS.len()]));
}
