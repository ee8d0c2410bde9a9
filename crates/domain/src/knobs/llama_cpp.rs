use super::{Family, Knob, KnobKind};

/// The knobs of `llama_cpp`.
pub const LLAMA_CPP: &[Knob] =
    &[Knob::new("dtype", Family::Dtype, KnobKind::Text, "Number format of weights and activations")];
