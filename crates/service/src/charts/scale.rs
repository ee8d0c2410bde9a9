//! An axis as plotters understands it: linear, logarithmic or of categories, with round ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Where a linear axis has at most this many steps.
const MAX_STEPS: f64 = 6.0;

/// A range with its ticks. The picture and the hit targets both come from its mapping.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    log: bool,
    ticks: Vec<(f64, String)>,
}

impl Scale {
    /// From 0 to a round value that leaves room above `max`.
    pub(super) fn linear(max: f64) -> Self {
        let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
        let step = round_step(max * 1.04 / MAX_STEPS);
        let steps = (max * 1.04 / step).ceil();
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let ticks = (0..=steps as u32).map(|i| f64::from(i) * step).map(|at| (at, format!("{at:.decimals$}")));
        Scale { low: 0.0, high: steps * step, log: false, ticks: ticks.collect() }
    }

    /// From 0 to 100.
    pub(super) fn percent() -> Self {
        let ticks = (0..=5).map(|i| (f64::from(i) * 20.0, (i * 20).to_string()));
        Scale { low: 0.0, high: 100.0, log: false, ticks: ticks.collect() }
    }

    /// From a round value below `min` to one above `max`, with 0 among them.
    pub(super) fn around_zero(min: f64, max: f64) -> Self {
        let (min, max) = if min < 0.0 || max > 0.0 { (min.min(0.0), max.max(0.0)) } else { (-1.0, 1.0) };
        let step = round_step((max - min) * 1.04 / MAX_STEPS);
        let (first, last) = ((min * 1.04 / step).floor() as i32, (max * 1.04 / step).ceil() as i32);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let ticks = (first..=last).map(|i| f64::from(i) * step).map(|at| (at, format!("{at:.decimals$}")));
        Scale { low: f64::from(first) * step, high: f64::from(last) * step, log: false, ticks: ticks.collect() }
    }

    /// From a round value below `min` to one above `max`, both positive.
    pub(super) fn log(min: f64, max: f64) -> Self {
        let valid = min.is_finite() && max.is_finite() && 0.0 < min && min <= max;
        let (min, max) = if valid { (min, max) } else { (1.0, 10.0) };
        let ladder = |decade: i32| [1.0, 2.0, 5.0].map(|digit: f64| digit * 10f64.powi(decade));
        let decades = (min.log10().floor() as i32)..=(max.log10().ceil() as i32);
        let rungs: Vec<f64> = decades.flat_map(ladder).collect();
        let low = rungs.iter().copied().rev().find(|&rung| rung <= min * 0.98).unwrap_or(min / 2.0);
        let high = rungs.iter().copied().find(|&rung| rung >= max * 1.02).unwrap_or(max * 2.0);
        let wide = high / low > 1000.0;
        let shown = |&at: &f64| (low..=high).contains(&at) && (!wide || at.log10().fract().abs() < 1e-9);
        let ticks = rungs.iter().copied().filter(shown).map(|at| (at, at.to_string())).collect();
        Scale { low, high, log: true, ticks }
    }

    /// One unit for each category, its name in the middle.
    pub(super) fn categories(names: &[String]) -> Self {
        let ticks = names.iter().enumerate().map(|(index, name)| (index as f64 + 0.5, name.clone())).collect();
        Scale { low: 0.0, high: names.len().max(1) as f64, log: false, ticks }
    }

    /// The smallest value of the range.
    pub(super) fn low(&self) -> f64 {
        self.low
    }

    /// The largest value of the range.
    pub(super) fn high(&self) -> f64 {
        self.high
    }

    /// Where the axis is labelled, and with what.
    pub(super) fn ticks(&self) -> impl Iterator<Item = &(f64, String)> {
        self.ticks.iter()
    }

    fn fraction(&self, value: f64) -> f64 {
        let place = |value: f64| if self.log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        ((place(value) - place(self.low)) / (place(self.high) - place(self.low))).clamp(-1.0, 2.0)
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= step * 0.999_999).unwrap_or(10.0);
    digit * power
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (self.fraction(*value) * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(at, _)| at == value);
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<&str> {
        scale.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_begin_at_zero() {
        assert_eq!(labels(&Scale::linear(7.9)), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&Scale::linear(0.23)), ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25"]);
        assert_eq!(labels(&Scale::linear(812.0)), ["0", "200", "400", "600", "800", "1000"]);
        assert_eq!(Scale::linear(0.0), Scale::linear(1.0));
        assert_eq!(Scale::linear(f64::NAN), Scale::linear(1.0));
    }

    #[test]
    fn zero_is_a_tick_between_losses_and_gains() {
        assert_eq!(labels(&Scale::around_zero(-12.0, 31.0)), ["-20", "-10", "0", "10", "20", "30", "40"]);
        assert_eq!(labels(&Scale::around_zero(0.0, 0.0)), labels(&Scale::around_zero(-1.0, 1.0)));
        assert_eq!(labels(&Scale::percent()), ["0", "20", "40", "60", "80", "100"]);
    }

    #[test]
    fn log_ticks_are_1_2_5() {
        assert_eq!(labels(&Scale::log(30.0, 400.0)), ["20", "50", "100", "200", "500"]);
        assert_eq!(labels(&Scale::log(1.5, 90_000.0)), ["1", "10", "100", "1000", "10000", "100000"]);
        assert_eq!(Scale::log(-1.0, 3.0), Scale::log(1.0, 10.0));
    }

    #[test]
    fn values_map_to_pixels() {
        let linear = Scale::linear(9.0);
        assert_eq!([0.0, 5.0, 10.0].map(|v| linear.map(&v, (100, 300))), [100, 200, 300]);
        assert_eq!(linear.map(&10.0, (300, 100)), 100, "upward");
        let log = Scale::log(1.1, 97.0);
        assert_eq!([1.0, 10.0, 100.0].map(|v| log.map(&v, (0, 200))), [0, 100, 200]);
    }
}
