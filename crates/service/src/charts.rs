//! Charts of reports: a model of what is shown, and the picture with its hit targets, drawn from one mapping.
//!
//! Everything comes from the frozen [`Report`], so a stored report shows the same picture for ever. Pictures are SVG
//! without scripts, style sheets or inline styles; ink is `currentColor`, so that they read on light and on dark.

mod curves;
mod detail;
mod draw;
mod from_report;
mod hues;
mod model;
mod overall;
mod png;
mod scale;
mod trend;

use podium_domain::report::Report;
use podium_formats::report::Figure;
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::error::{Error, Result};

pub use draw::svg;
pub use from_report::models;
pub use hues::{Mark, hue, mark};
pub use model::{Axis, ChartData, ChartModel, Form, Limit, Point, Series};
pub use trend::of_trend;

/// A drawn chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chart {
    /// Unique within its report, fit for an element's id.
    pub id: String,
    /// The picture with its title and caption.
    #[serde(skip)]
    pub figure: Figure,
    /// The picture's width, px.
    pub width: u32,
    /// The picture's height, px.
    pub height: u32,
    /// Where its points are.
    pub targets: Vec<Target>,
    /// The same as a table.
    pub data: ChartData,
}

/// A point of a picture, for hover, keyboard and click.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Target {
    /// From the left, px of the picture.
    pub x: i32,
    /// From the top, px of the picture.
    pub y: i32,
    /// What it is: framework and candidate, **simulated** where it is.
    pub label: String,
    /// Its figures with their units.
    pub value: String,
    /// The command behind it.
    pub command: Option<String>,
}

impl AsRef<Figure> for Chart {
    fn as_ref(&self) -> &Figure {
        &self.figure
    }
}

/// The charts of a report, drawn, in the order in which they are shown.
pub fn for_report(report: &Report) -> Vec<Chart> {
    models(report).iter().map(svg).collect()
}

/// A chart as PNG, dark on white at twice its size.
///
/// # Errors
/// When drawing it fails, which is a fault of Podium.
pub async fn png(chart: Chart) -> Result<Vec<u8>> {
    // Tens of milliseconds of a core, which no other request should wait for.
    let drawn = spawn_blocking(move || png::draw(&chart.figure.svg)).await.map_err(Error::internal)?;
    drawn.map_err(Error::internal)
}

/// Chart `number` of a report, counted from 1 in the order of [`for_report`]; the others are not drawn.
pub fn numbered(report: &Report, number: usize) -> Option<Chart> {
    models(report).get(number.checked_sub(1)?).map(svg)
}

#[cfg(test)]
mod detail_tests;
#[cfg(test)]
mod tests;
