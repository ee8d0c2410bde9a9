//! What a chart shows, before it is drawn.

use podium_domain::report::figure;
use serde::Serialize;

use super::hues::Mark;

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartModel {
    /// Unique within its report, fit for an element's id.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// What to read from it.
    pub caption: String,
    /// How points are drawn.
    pub form: Form,
    /// The horizontal axis; of bars, only its title is used.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is shown, one series per framework.
    pub series: Vec<Series>,
    /// Limits of the SLA.
    pub limits: Vec<Limit>,
    /// The points that no other point beats on both axes, from left to right.
    pub front: Vec<(f64, f64)>,
    /// Whether simulated engines made any of the figures.
    pub simulated: bool,
    /// What is said where there are no points.
    pub empty: String,
}

/// How points are drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Marks at their place.
    Scatter,
    /// Marks at their place, those of a series joined in their order.
    Lines,
    /// Dots to the left and right of zero, a line for each category; a point's `y` is the category's index.
    Rows {
        /// The categories' names, from the top.
        categories: Vec<String>,
    },
    /// A row of cells for each series, fuller where `y` is larger; a point's `x` is the column's index.
    Heat {
        /// The columns' names, from left to right.
        columns: Vec<String>,
    },
    /// An upright axis for each figure, a line for each series; a point's `x` is the axis' index.
    Parallel {
        /// The axes from left to right, and whether less is better.
        axes: Vec<(Axis, bool)>,
    },
    /// Bars from 0, grouped by category; a point's `x` is the category's index.
    Bars {
        /// The categories' names, from left to right.
        categories: Vec<String>,
    },
}

/// An axis. Linear axes start at 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// What it measures.
    pub title: String,
    /// In which unit.
    pub unit: String,
    /// Whether it is logarithmic; values that are not positive are then left out.
    pub log: bool,
}

impl Axis {
    /// A linear axis.
    pub fn linear(title: &str, unit: &str) -> Self {
        Axis { title: title.to_owned(), unit: unit.to_owned(), log: false }
    }

    /// The title with the unit.
    pub fn label(&self) -> String {
        if self.unit.is_empty() { self.title.clone() } else { format!("{}, {}", self.title, self.unit) }
    }
}

/// The points of one framework.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The framework's name, marked where all of it is simulated.
    pub name: String,
    /// Its colour, `#RRGGBB`.
    pub hue: String,
    /// Its mark.
    pub mark: Mark,
    /// Its points.
    pub points: Vec<Point>,
}

/// One point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// In the unit of the horizontal axis, or the category's index.
    pub x: f64,
    /// In the unit of the vertical axis.
    pub y: f64,
    /// The interval of `y`, where the point was measured more than once.
    pub interval: Option<(f64, f64)>,
    /// The candidate's id, and what is special about it.
    pub label: String,
    /// The command behind it.
    pub command: Option<String>,
    /// Whether it may be selected; others are drawn hollow.
    pub selectable: bool,
    /// Whether a simulated engine made it.
    pub simulated: bool,
}

/// A limit of the horizontal axis: what lies beyond misses the SLA.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// The limit, in the unit of the horizontal axis.
    pub x: f64,
    /// What it says, for example `SLA: at most 500 ms`.
    pub label: String,
}

/// The points of a chart as a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChartData {
    /// The columns' titles, with units.
    pub columns: Vec<String>,
    /// The rows, figures as shown.
    pub rows: Vec<Vec<String>>,
}

impl ChartModel {
    /// All points with their series.
    pub fn points(&self) -> impl Iterator<Item = (&Series, &Point)> {
        self.series.iter().flat_map(|series| series.points.iter().map(move |point| (series, point)))
    }

    /// A point's place on the horizontal axis in words: the figure, or the category.
    pub(super) fn x_text(&self, point: &Point) -> String {
        let named = match &self.form {
            Form::Scatter | Form::Lines | Form::Rows { .. } => return figure(point.x),
            Form::Bars { categories: names } | Form::Heat { columns: names } => names.get(point.x as usize).cloned(),
            Form::Parallel { axes } => axes.get(point.x as usize).map(|(axis, _)| axis.label()),
        };
        named.unwrap_or_default()
    }

    /// A point's place on the vertical axis in words.
    pub(super) fn y_text(&self, point: &Point) -> String {
        match &self.form {
            Form::Rows { categories } => categories.get(point.y as usize).cloned().unwrap_or_default(),
            _ => figure(point.y),
        }
    }

    /// The points as a table.
    pub fn data(&self) -> ChartData {
        let columns = ["Framework".to_owned(), "Candidate".to_owned(), self.x.label(), self.y.label()];
        let row = |(series, point): (&Series, &Point)| {
            vec![series.name.clone(), point.label.clone(), self.x_text(point), self.y_text(point)]
        };
        ChartData { columns: columns.into(), rows: self.points().map(row).collect() }
    }
}
