//! When an engine is ready: it is healthy, it lists a model, and it has answered one real request with a token. The
//! last one counts most: a server whose kernels cannot run the model can be healthy all the same.

use std::sync::Arc;
use std::time::Duration;

use podium_domain::plan::Endpoint;
use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::engine::EngineStatus;
use crate::failure::LaunchStage;

/// What is known about an engine that has become ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyFacts {
    /// From the start of the process to the answer to the first request, in milliseconds.
    pub ready_after_ms: u64,
    /// The name to ask for in requests: the injected one where the engine lists it, else the first that it lists.
    pub model: String,
    /// Every name under `/v1/models`.
    pub listed_models: Vec<String>,
    /// Output tokens of the first request's answer.
    pub first_answer_tokens: u32,
    /// The version that the running server reports, where it has such a page.
    pub version: Option<String>,
    /// Whether the server says of itself that it is simulated.
    #[serde(default)]
    pub simulated: bool,
}

/// The engine as a client sees it.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) client: Client,
    pub(crate) base_url: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) served_model_name: String,
    /// Told when the first request is about to be sent.
    pub(crate) status: Arc<watch::Sender<EngineStatus>>,
    /// The last thing that was not as it should be, in words.
    pub(crate) last_answer: String,
}

/// Why a server that is up is not usable.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) String);

/// A client for control traffic to engines of this machine: no proxy may come between.
pub(crate) fn client() -> reqwest::Result<Client> {
    Client::builder().no_proxy().build()
}

/// Between two looks at a server that is not ready yet.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// One look at a page that needs no computation.
const LOOK_DEADLINE: Duration = Duration::from_secs(10);

/// Requests that may fail before a healthy server counts as broken.
const REQUEST_ATTEMPTS: u32 = 3;

/// Tokens asked for in the first request.
const PROBE_TOKENS: u32 = 4;

impl Probe {
    /// Waits, without a deadline of its own, until the engine is ready or has refused to answer.
    pub(crate) async fn until_ready(&mut self, started: Instant) -> Result<ReadyFacts, Refusal> {
        self.until_healthy().await;
        let (listed_models, simulated) = self.until_listed().await;
        let known = listed_models.contains(&self.served_model_name);
        let model = if known { &self.served_model_name } else { &listed_models[0] }.clone();
        self.status.send_modify(|status| status.stage = LaunchStage::FirstRequest);
        let first_answer_tokens = self.until_answered(&model).await?;
        let ready_after_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let version = self.version().await;
        Ok(ReadyFacts { ready_after_ms, model, listed_models, first_answer_tokens, version, simulated })
    }

    async fn until_healthy(&mut self) {
        loop {
            let sent = self.client.get(self.url("/health")).timeout(LOOK_DEADLINE).send().await;
            match sent {
                Ok(response) if response.status().is_success() => return,
                Ok(response) => self.last_answer = format!("/health answered {}", response.status()),
                Err(error) => self.last_answer = format!("/health did not answer ({})", root_cause(&error)),
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits for `/v1/models` to list at least one model; their names, and whether any is marked as simulated.
    async fn until_listed(&mut self) -> (Vec<String>, bool) {
        loop {
            match self.get_json("/v1/models").await {
                Ok(answer) => {
                    let data = answer.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
                    let names: Vec<String> =
                        data.iter().filter_map(|model| Some(model.get("id")?.as_str()?.to_owned())).collect();
                    if !names.is_empty() {
                        let simulated = data.iter().any(|model| model.get("simulated") == Some(&Value::Bool(true)));
                        return (names, simulated);
                    }
                    self.last_answer = "/v1/models lists no model".to_owned();
                }
                Err(problem) => self.last_answer = problem,
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn until_answered(&mut self, model: &str) -> Result<u32, Refusal> {
        let mut failures = 0;
        // Not every server knows `ignore_eos`; with it, a model whose first token is the end still gives tokens.
        let mut ignore_eos = true;
        loop {
            let (path, body) = request(self.endpoint, model, ignore_eos);
            // The first request may compile kernels for minutes; the startup deadline bounds it.
            match self.client.post(self.url(path)).json(&body).send().await {
                Ok(response) => {
                    let status = response.status();
                    let text = response.text().await.unwrap_or_default();
                    match answer_tokens(&text).filter(|_| status.is_success()) {
                        Some(tokens) => return Ok(tokens),
                        None => self.last_answer = format!("{path} answered {status}: {}", excerpt(&text)),
                    }
                    match status {
                        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY if ignore_eos => ignore_eos = false,
                        StatusCode::SERVICE_UNAVAILABLE => {}
                        _ => failures += 1,
                    }
                }
                Err(error) => {
                    self.last_answer = format!("{path} did not answer ({})", root_cause(&error));
                    failures += 1;
                }
            }
            if failures >= REQUEST_ATTEMPTS {
                return Err(Refusal(self.last_answer.clone()));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// What the server says about its version: vLLM and others under `/version`, SGLang in its server information.
    async fn version(&self) -> Option<String> {
        for path in ["/version", "/get_server_info"] {
            if let Ok(answer) = self.get_json(path).await
                && let Some(version) = answer.get("version").and_then(Value::as_str)
            {
                return Some(version.to_owned());
            }
        }
        None
    }

    async fn get_json(&self, path: &str) -> Result<Value, String> {
        let sent = self.client.get(self.url(path)).timeout(LOOK_DEADLINE).send().await;
        let response = sent.map_err(|error| format!("{path} did not answer ({})", root_cause(&error)))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("{path} answered {status}"));
        }
        response.json().await.map_err(|_| format!("{path} answered something that is not JSON"))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }
}

fn request(endpoint: Endpoint, model: &str, ignore_eos: bool) -> (&'static str, Value) {
    let (path, mut body) = match endpoint {
        Endpoint::Completions => {
            ("/v1/completions", json!({ "model": model, "prompt": "Once upon a time", "max_tokens": PROBE_TOKENS }))
        }
        Endpoint::ChatCompletions => {
            let messages = json!([{ "role": "user", "content": "Hello" }]);
            ("/v1/chat/completions", json!({ "model": model, "messages": messages, "max_tokens": PROBE_TOKENS }))
        }
    };
    body["temperature"] = json!(0);
    if ignore_eos {
        body["ignore_eos"] = json!(true);
    }
    (path, body)
}

/// The output tokens of an answer: its usage where it has one, else 1 for any text; `None` for an answer without.
fn answer_tokens(text: &str) -> Option<u32> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let counted = answer.pointer("/usage/completion_tokens").and_then(Value::as_u64);
    let tokens = match counted {
        Some(tokens) => u32::try_from(tokens).unwrap_or(u32::MAX),
        None => {
            let texts = ["/choices/0/text", "/choices/0/message/content", "/choices/0/message/reasoning_content"];
            let said = texts.iter().filter_map(|path| answer.pointer(path)?.as_str()).any(|text| !text.is_empty());
            u32::from(said)
        }
    };
    (tokens > 0).then_some(tokens)
}

fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 300;
    let text = text.trim();
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The innermost cause of an error: "connection refused" says more than "error sending request".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_with_a_token_counts() {
        assert_eq!(answer_tokens(r#"{"choices":[{"text":""}],"usage":{"completion_tokens":4}}"#), Some(4));
        assert_eq!(answer_tokens(r#"{"choices":[{"text":"x"}]}"#), Some(1));
        assert_eq!(answer_tokens(r#"{"choices":[{"message":{"content":"x"}}]}"#), Some(1));
        assert_eq!(answer_tokens(r#"{"choices":[{"text":""}]}"#), None);
        assert_eq!(answer_tokens(r#"{"choices":[],"usage":{"completion_tokens":0}}"#), None);
        assert_eq!(answer_tokens("<html>"), None);
    }

    #[test]
    fn requests_fit_their_endpoint() {
        let (path, body) = request(Endpoint::ChatCompletions, "m", true);
        assert_eq!((path, body["messages"][0]["role"].as_str()), ("/v1/chat/completions", Some("user")));
        let (path, body) = request(Endpoint::Completions, "m", false);
        assert_eq!((path, body.get("ignore_eos")), ("/v1/completions", None));
    }
}
