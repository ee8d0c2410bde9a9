use super::{Family, Knob, KnobKind};

/// The knobs of `vllm`.
pub const VLLM: &[Knob] =
    &[Knob::new("dtype", Family::Dtype, KnobKind::Text, "Number format of weights and activations")];
