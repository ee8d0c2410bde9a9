use super::{Family, Knob, KnobKind};

/// The knobs of `sglang`.
pub const SGLANG: &[Knob] =
    &[Knob::new("dtype", Family::Dtype, KnobKind::Text, "Number format of weights and activations")];
