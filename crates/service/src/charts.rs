//! Charts of reports: a model of what is shown, and the picture with its hit targets, drawn from one mapping.
//!
//! Everything comes from the frozen [`Report`], so a stored report shows the same picture for ever. Pictures are SVG
//! without scripts, style sheets or inline styles; ink is `currentColor`, so that they read on light and on dark.

mod draw;
mod from_report;
mod hues;
mod model;
mod scale;

use podium_domain::report::Report;
use podium_formats::report::Figure;
use serde::Serialize;

pub use draw::svg;
pub use from_report::models;
pub use hues::{Mark, hue, mark};
pub use model::{Axis, ChartData, ChartModel, Form, Limit, Point, Series};

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

#[cfg(test)]
mod tests;
