//! A dot plot: a line for each category, the value to the left or right of zero.

use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Area, DrawError, INK, WIDTH, colour, legend_bottom, row_label, shape, target, text, watermark};
use crate::charts::Target;
use crate::charts::model::ChartModel;
use crate::charts::scale::Scale;

const LEFT: i32 = 300;
const RIGHT: i32 = WIDTH as i32 - 30;
const ROW_HEIGHT: i32 = 26;

/// The picture's height, px.
pub(super) fn height(model: &ChartModel, categories: &[String]) -> u32 {
    (legend_bottom(model) + 20 + ROW_HEIGHT * categories.len() as i32 + 54) as u32
}

pub(super) fn draw(root: &Area<'_>, model: &ChartModel, categories: &[String]) -> Result<Vec<Target>, DrawError> {
    let values = || model.points().map(|(_, point)| point.x);
    let scale = Scale::around_zero(values().fold(0.0, f64::min), values().fold(0.0, f64::max));
    let top = legend_bottom(model) + 20;
    let bottom = top + ROW_HEIGHT * categories.len() as i32;
    for (at, label) in scale.ticks() {
        let x = scale.map(at, (LEFT, RIGHT));
        let strength = if *at == 0.0 { 0.7 } else { 0.12 };
        root.draw(&PathElement::new(vec![(x, top), (x, bottom)], INK.mix(strength).stroke_width(1)))?;
        text(root, label, (x, bottom + 6), 15, 0.8, Pos::new(HPos::Center, VPos::Top))?;
    }
    let centre = ((LEFT + RIGHT) / 2, bottom + 40);
    text(root, &model.x.label(), centre, 16, 1.0, Pos::new(HPos::Center, VPos::Center))?;
    let middle = |category: usize| top + ROW_HEIGHT * category as i32 + ROW_HEIGHT / 2;
    for (category, name) in categories.iter().enumerate() {
        row_label(root, name, (10, middle(category)), 38)?;
    }
    let zero = scale.map(&0.0, (LEFT, RIGHT));
    let mut targets = Vec::new();
    for series in &model.series {
        for point in &series.points {
            let at = (scale.map(&point.x, (LEFT, RIGHT)), middle(point.y as usize));
            root.draw(&PathElement::new(vec![(zero, at.1), at], colour(&series.hue).stroke_width(2)))?;
            shape(root, series, at, point.selectable)?;
            targets.push(target(model, series, point, at));
        }
    }
    watermark(root, model, (centre.0, (top + bottom) / 2), 72)?;
    Ok(targets)
}
