use super::{Family, Knob, KnobKind};

/// The knobs of `tensorrt_llm`.
pub const TENSORRT_LLM: &[Knob] =
    &[Knob::new("dtype", Family::Dtype, KnobKind::Text, "Number format of weights and activations")];
