//! The part of the OpenAI protocol that the simulated servers speak: requests in, response objects out.

mod request;
mod response;

pub use request::{Endpoint, GenerationRequest, Prompt, RequestError, TEXT_BYTES_PER_TOKEN};
pub use response::{FinishReason, ResponseStyle, Usage, error_body};
