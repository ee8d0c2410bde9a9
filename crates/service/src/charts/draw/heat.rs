//! A heat map: a row for each candidate, a column for each category, the figure written into every cell.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use podium_domain::report::figure;

use super::{Area, DrawError, INK, WIDTH, colour, row_label, shape, target, text, watermark};
use crate::charts::Target;
use crate::charts::model::ChartModel;

const LEFT: i32 = 230;
const TOP: i32 = 40;
const CELL_HEIGHT: i32 = 38;
const MARGIN: i32 = 20;

/// The picture's height, px.
pub(super) fn height(model: &ChartModel) -> u32 {
    (TOP + CELL_HEIGHT * model.series.len() as i32 + MARGIN + 28) as u32
}

pub(super) fn draw(root: &Area<'_>, model: &ChartModel, columns: &[String]) -> Result<Vec<Target>, DrawError> {
    let width = (WIDTH as i32 - LEFT - MARGIN) / columns.len().max(1) as i32;
    for (column, name) in columns.iter().enumerate() {
        let middle = LEFT + width * column as i32 + width / 2;
        text(root, name, (middle, TOP - 8), 15, 0.8, Pos::new(HPos::Center, VPos::Bottom))?;
    }
    let values = || model.points().map(|(_, point)| point.y).filter(|value| *value > 0.0);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let mut targets = Vec::new();
    for (row, series) in model.series.iter().enumerate() {
        let top = TOP + CELL_HEIGHT * row as i32;
        let middle = top + CELL_HEIGHT / 2;
        shape(root, series, (14, middle), true)?;
        let label = series.points.first().map_or(series.name.as_str(), |point| point.label.as_str());
        row_label(root, label, (28, middle), 26)?;
        for point in &series.points {
            let left = LEFT + width * point.x as i32;
            let share = if high > low { (point.y / low).ln() / (high / low).ln() } else { 0.5 };
            let at = (left + width / 2, middle);
            let cell = [(left + 1, top + 1), (left + width - 1, top + CELL_HEIGHT - 1)];
            let fill = colour(&series.hue).mix(0.08 + 0.5 * share.clamp(0.0, 1.0));
            root.draw(&Rectangle::new(cell, fill.filled()))?;
            root.draw(&Rectangle::new(cell, INK.mix(0.2).stroke_width(1)))?;
            text(root, &figure(point.y), at, 16, 1.0, Pos::new(HPos::Center, VPos::Center))?;
            targets.push(target(model, series, point, at));
        }
    }
    let bottom = TOP + CELL_HEIGHT * model.series.len() as i32;
    let centre = (LEFT + (WIDTH as i32 - LEFT) / 2, bottom + 22);
    text(
        root,
        &format!("{} of {}", model.x.label(), model.y.label()),
        centre,
        16,
        1.0,
        Pos::new(HPos::Center, VPos::Center),
    )?;
    watermark(root, model, (centre.0, (TOP + bottom) / 2), 48)?;
    Ok(targets)
}
