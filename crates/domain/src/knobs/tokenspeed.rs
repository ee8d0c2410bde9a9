use super::{Family, Knob, KnobKind};

/// The knobs of `tokenspeed`.
pub const TOKENSPEED: &[Knob] =
    &[Knob::new("dtype", Family::Dtype, KnobKind::Text, "Number format of weights and activations")];
