//! The colour and the mark of each framework, the same in every chart.

use podium_domain::framework::Framework;

/// The shape of a point, so that frameworks can be told apart without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A circle.
    Circle,
    /// A square.
    Square,
    /// A triangle, point up.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A triangle, point down.
    Wedge,
    /// A saltire, for frameworks that are not ours.
    Cross,
}

/// The colour of a framework by its id, `#RRGGBB`: OKLCH with lightness 0.62 and the framework's hue, which stands out
/// by 3:1 at least from white and from the dark theme's ground.
pub fn hue(framework: &str) -> &'static str {
    match framework.parse() {
        Ok(Framework::Sglang) => "#398AD6",
        Ok(Framework::Vllm) => "#CC6349",
        Ok(Framework::TensorrtLlm) => "#5F983A",
        Ok(Framework::Tokenspeed) => "#A06CC4",
        Ok(Framework::LlamaCpp) => "#A87F09",
        Err(_) => "#868686",
    }
}

/// The mark of a framework by its id.
pub fn mark(framework: &str) -> Mark {
    match framework.parse() {
        Ok(Framework::Sglang) => Mark::Circle,
        Ok(Framework::Vllm) => Mark::Square,
        Ok(Framework::TensorrtLlm) => Mark::Triangle,
        Ok(Framework::Tokenspeed) => Mark::Diamond,
        Ok(Framework::LlamaCpp) => Mark::Wedge,
        Err(_) => Mark::Cross,
    }
}
