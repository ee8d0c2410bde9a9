//! Parallel coordinates: an upright axis for each figure, a line for each candidate.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use podium_domain::report::figure;

use super::{Area, DrawError, INK, Place, WIDTH, colour, shape, target, text, watermark};
use crate::charts::Target;
use crate::charts::model::{Axis, ChartModel};

const LEFT: i32 = 60;
const RIGHT: i32 = WIDTH as i32 - 60;
const TOP: i32 = 76;
const BOTTOM: i32 = 380;

pub(super) fn draw(root: &Area<'_>, model: &ChartModel, axes: &[(Axis, bool)]) -> Result<Vec<Target>, DrawError> {
    let steps = axes.len().saturating_sub(1).max(1) as i32;
    let x = |axis: usize| LEFT + (RIGHT - LEFT) * axis as i32 / steps;
    let range = |axis: usize| {
        let values = || model.points().map(|(_, point)| point).filter(|point| point.x as usize == axis).map(|p| p.y);
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    };
    let ranges: Vec<(f64, f64)> = (0..axes.len()).map(range).collect();
    for (index, (axis, lower_is_better)) in axes.iter().enumerate() {
        let (low, high) = ranges[index];
        let (above, below) = if *lower_is_better { (low, high) } else { (high, low) };
        root.draw(&PathElement::new(vec![(x(index), TOP), (x(index), BOTTOM)], INK.mix(0.4).stroke_width(1)))?;
        let middle = |y| (x(index), y);
        text(root, &axis.label(), middle(TOP - 34), 14, 1.0, Pos::new(HPos::Center, VPos::Center))?;
        text(root, &figure(above), middle(TOP - 12), 14, 0.8, Pos::new(HPos::Center, VPos::Center))?;
        text(root, &figure(below), middle(BOTTOM + 14), 14, 0.8, Pos::new(HPos::Center, VPos::Center))?;
    }
    let place = |axis: usize, value: f64| -> Place {
        let (low, high) = ranges[axis];
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        let share = if axes[axis].1 { 1.0 - share } else { share };
        (x(axis), BOTTOM - (share * f64::from(BOTTOM - TOP)).round() as i32)
    };
    let mut targets = Vec::new();
    // The best candidates come first, so they are drawn last, on top.
    for series in model.series.iter().rev() {
        let places: Vec<Place> = series.points.iter().map(|point| place(point.x as usize, point.y)).collect();
        let is_selectable = series.points.iter().all(|point| point.selectable);
        let line = colour(&series.hue).mix(if is_selectable { 0.9 } else { 0.35 }).stroke_width(2);
        root.draw(&PathElement::new(places.clone(), line))?;
        for (point, at) in series.points.iter().zip(places) {
            shape(root, series, at, point.selectable)?;
            targets.push(target(model, series, point, at));
        }
    }
    watermark(root, model, (WIDTH as i32 / 2, (TOP + BOTTOM) / 2), 96)?;
    Ok(targets)
}
