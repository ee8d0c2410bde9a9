//! What a workload is made from.

use std::path::PathBuf;

use podium_domain::lengths::PromptShape;
use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::dataset::CanonicalRequest;
use crate::random::TextCalibration;

/// Everything that determines the requests of one measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSpec {
    /// Where prompts come from.
    pub dataset: DatasetSpec,
    /// The request path of [`Protocol::OpenAi`].
    pub endpoint: Endpoint,
    /// What requests and answers look like.
    #[serde(default)]
    pub protocol: Protocol,
    /// The name under which the server knows the model.
    pub model: String,
    /// Requests that are measured.
    pub num_prompts: u32,
    /// Requests that warm the server up; none of them is measured.
    #[serde(default)]
    pub warmup_requests: u32,
    /// The plan's seed.
    #[serde(default)]
    pub seed: u64,
    /// What separates this measurement's prompts from every other's; see [`measurement_key`].
    #[serde(default)]
    pub measurement_key: String,
    /// Whether answers are streamed.
    #[serde(default = "streamed")]
    pub stream: bool,
    /// Laid over the body of every request; a request's own settings win over it.
    #[serde(default)]
    pub extra_request_body: Map<String, Value>,
    /// How drawn requests spread around the dataset's lengths and what they share. Files have their own.
    #[serde(default)]
    pub shape: PromptShape,
    /// The model's `tokenizer.json`, or the folder that holds it, on the machine that sends the requests. With it,
    /// drawn text has exactly the tokens asked for.
    #[serde(default)]
    pub tokenizer: Option<PathBuf>,
}

fn streamed() -> bool {
    true
}

impl WorkloadSpec {
    /// A streamed workload without warm-up, seed 0.
    pub fn new(dataset: DatasetSpec, endpoint: Endpoint, model: impl Into<String>, num_prompts: u32) -> Self {
        WorkloadSpec {
            dataset,
            endpoint,
            protocol: Protocol::OpenAi,
            model: model.into(),
            num_prompts,
            warmup_requests: 0,
            seed: 0,
            measurement_key: String::new(),
            stream: true,
            extra_request_body: Map::new(),
            shape: PromptShape::default(),
            tokenizer: None,
        }
    }

    /// The path part of the URL that requests go to.
    pub fn path(&self) -> &'static str {
        match self.protocol {
            Protocol::OpenAi => self.endpoint.path(),
            Protocol::SglangGenerate => "/generate",
        }
    }
}

/// What requests and answers look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// `/v1/completions` or `/v1/chat/completions`, which every framework has.
    #[default]
    OpenAi,
    /// SGLang's own `/generate`: `input_ids` or `text`, and `sampling_params`.
    SglangGenerate,
}

/// Where prompts come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DatasetSpec {
    /// Random prompts of one length.
    Random {
        /// Tokens of every prompt, unless the shape spreads them: exact for token ids and with a tokenizer, approximate
        /// for other text (see [`TextCalibration`]).
        input_len: u32,
        /// Tokens of every answer.
        output_len: u32,
        /// Entries of the model's vocabulary, where known.
        #[serde(default)]
        vocab_size: Option<u32>,
        /// When absent: text where there is a tokenizer, token ids where the endpoint takes them, else text.
        #[serde(default)]
        prompt_form: Option<PromptForm>,
        /// How words become tokens, for text prompts.
        #[serde(default)]
        text_calibration: TextCalibration,
    },
    /// A request file on the machine that sends the requests; see [`crate::read_dataset`] for its forms.
    File {
        /// The file.
        path: PathBuf,
    },
    /// The rows of a canonical request file, for a machine that does not have it.
    Rows {
        /// The requests.
        rows: Vec<CanonicalRequest>,
    },
}

/// How a random prompt is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptForm {
    /// An array of token ids, which SGLang, vLLM, TensorRT-LLM and llama.cpp take on `/v1/completions`.
    TokenIds,
    /// Words.
    Text,
}

/// The key of one measurement: equal for all frameworks and candidates, different for everything else.
pub fn measurement_key(scenario: &str, load: &LoadPoint, repeat: u32) -> String {
    format!("{scenario}/{}/{repeat}", load.key())
}
