//! Why a workload cannot be built.

use std::path::PathBuf;

use podium_domain::plan::Endpoint;

/// Why a workload or a schedule cannot be built. Each text says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request file cannot be read.
    #[error("cannot read the request file {}: check that it exists and may be read", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A line of the request file is not a canonical request.
    #[error(
        "line {line} of the request file is not a request: {detail}; each line holds \
         {{\"prompt\": \"text\" or [chat messages], \"output_len\": N}}"
    )]
    BadRow {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// A line of a trace is no time.
    #[error(
        "line {line} of the trace is no start: write seconds (`1.25`), `{{\"start_s\": 1.25}}` or \
         `{{\"timestamp\": 1250}}` in milliseconds"
    )]
    BadTraceLine {
        /// Counted from 1.
        line: usize,
    },
    /// A line of a file of lengths is no length.
    #[error("line {line} of {} is no length: write a whole number of tokens, at least 1", path.display())]
    BadLength {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A row of a dataset in a form of other tools cannot be asked of every framework, or is damaged.
    #[error("row {row} of the dataset {detail}")]
    BadDatasetRow {
        /// Counted from 1.
        row: usize,
        /// What is wrong with it, as the rest of the sentence.
        detail: String,
    },
    /// A file is none of the forms that are read.
    #[error(
        "the file is no dataset that Podium knows: {detail}; read are the canonical request lines, ShareGPT          conversations, OpenAI batch files and Mooncake traces"
    )]
    UnknownDataset {
        /// What was found instead.
        detail: String,
    },
    /// There is no tokenizer where one was named.
    #[error(
        "the tokenizer {} cannot be used: {detail}; name a tokenizer.json, or the model's folder that holds one",
        path.display()
    )]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The tokenizer does not take a text.
    #[error("the tokenizer cannot encode a prompt: {0}")]
    Encode(String),
    /// No text of that many tokens was found.
    #[error(
        "no text of exactly {tokens} tokens was found for this tokenizer; use another length, or leave the tokenizer          out for prompts of token ids"
    )]
    NoExactText {
        /// The tokens that were asked for.
        tokens: u32,
    },
    /// The request file or the trace holds no line.
    #[error("the file holds no request; put one on each line")]
    NoRows,
    /// Chat messages were to be sent to the completions endpoint.
    #[error(
        "request {row} of the file holds chat messages, which {} does not take; use the endpoint {} instead",
        Endpoint::Completions.path(),
        Endpoint::ChatCompletions.path()
    )]
    ChatOnCompletions {
        /// Counted from 1.
        row: usize,
    },
    /// Chat messages were to be sent to SGLang's own endpoint.
    #[error("chat messages cannot be sent to /generate; use the protocol `open_ai` with the chat endpoint")]
    ChatOnGenerate,
    /// Token ids were to be sent to the chat endpoint.
    #[error(
        "prompts of token ids cannot be sent to {}; use the endpoint {} or the prompt form `text`",
        Endpoint::ChatCompletions.path(),
        Endpoint::Completions.path()
    )]
    TokenIdsOnChat,
    /// A number of the workload or of the load makes no sense.
    #[error("`{field}` is {value}: it must be {expected}")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// What it held.
        value: String,
        /// What it may hold.
        expected: &'static str,
    },
    /// A request body could not be written as JSON.
    #[error("cannot write a request body as JSON")]
    Body(#[source] serde_json::Error),
}
