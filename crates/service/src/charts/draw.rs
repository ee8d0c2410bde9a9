//! Draws a chart with plotters.
//!
//! Plotters draws axes, grid and shapes; places come from its mapping of our [`Scale`]s, for the shapes and the hit
//! targets alike. Ink is drawn in one reserved colour that then becomes `currentColor`.

mod heat;
mod parallel;
mod rows;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use podium_domain::report::figure;
use podium_formats::report::Figure;

use super::hues::Mark;
use super::model::{Axis, ChartModel, Form, Point, Series};
use super::scale::Scale;
use super::{Chart, Target};

const WIDTH: u32 = 760;
const HEIGHT: u32 = 420;

/// Stands for the page's text colour; no hue is like it.
const INK: RGBColor = RGBColor(1, 2, 3);
const INK_HEX: &str = "\"#010203\"";

/// Height of a line of the legend, px.
const LEGEND_LINE: i32 = 20;

/// Half the size of a mark, px.
const MARK: i32 = 5;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Place = (i32, i32);
type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// The part of the picture inside the axes, px.
#[derive(Clone, Copy)]
struct Plot {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

/// Draws a chart. The same model gives the same picture, byte for byte.
pub fn svg(model: &ChartModel) -> Chart {
    let mut picture = String::new();
    let targets = draw(model, &mut picture).unwrap_or_else(|error| {
        // Drawing into memory does not fail; should it ever, the table beside the picture still has the figures.
        tracing::error!(chart = model.id, %error, "a chart could not be drawn");
        Vec::new()
    });
    Chart {
        id: model.id.clone(),
        figure: Figure { title: title(model), caption: model.caption.clone(), svg: finish(&picture, &title(model)) },
        width: WIDTH,
        height: height(model),
        targets,
        data: model.data(),
    }
}

/// The picture's height, px: those with a line for each candidate or knob grow with them.
fn height(model: &ChartModel) -> u32 {
    match &model.form {
        Form::Heat { .. } => heat::height(model),
        Form::Rows { categories } => rows::height(model, categories),
        Form::Scatter | Form::Lines | Form::Bars { .. } | Form::Parallel { .. } => HEIGHT,
    }
}

fn title(model: &ChartModel) -> String {
    if model.simulated { format!("{} (simulated)", model.title) } else { model.title.clone() }
}

/// Makes the picture take the page's ink, and tells what it is to those who cannot see it.
fn finish(picture: &str, title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    picture.replace(INK_HEX, "\"currentColor\"").replacen(
        "<svg ",
        &format!("<svg role=\"img\" aria-label=\"{title}\" "),
        1,
    )
}

fn draw(model: &ChartModel, picture: &mut String) -> Result<Vec<Target>, DrawError> {
    let root = SVGBackend::with_string(picture, (WIDTH, height(model))).into_drawing_area();
    let targets = if model.points().next().is_none() {
        let place = (WIDTH as i32 / 2, HEIGHT as i32 / 2);
        text(&root, &model.empty, place, 18, 0.75, Pos::new(HPos::Center, VPos::Center))?;
        Vec::new()
    } else {
        // A heat map names its rows; everything else has a legend.
        if !matches!(model.form, Form::Heat { .. }) {
            legend(&root, model)?;
        }
        match &model.form {
            Form::Heat { columns } => heat::draw(&root, model, columns)?,
            Form::Parallel { axes } => parallel::draw(&root, model, axes)?,
            Form::Rows { categories } => rows::draw(&root, model, categories)?,
            Form::Scatter | Form::Lines | Form::Bars { .. } => chart(&root, model)?,
        }
    };
    root.present()?;
    Ok(targets)
}

fn chart(root: &Area<'_>, model: &ChartModel) -> Result<Vec<Target>, DrawError> {
    let (x, y) = scales(model);
    let (near, far) = ((x.low(), y.low()), (x.high(), y.high()));
    let mut chart = ChartBuilder::on(root)
        .margin_top(legend_bottom(model) + 18)
        .margin_right(20)
        .margin_left(6)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)?;
    let mut mesh = chart.configure_mesh();
    if matches!(model.form, Form::Bars { .. }) {
        mesh.disable_x_mesh();
    }
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.12))
        .axis_style(INK.mix(0.5))
        .label_style(("sans-serif", 15).into_font().color(&INK.mix(0.8)))
        .axis_desc_style(("sans-serif", 16).into_font().color(&INK))
        .x_desc(model.x.label())
        .y_desc(model.y.label())
        .draw()?;

    let (left, bottom) = chart.backend_coord(&near);
    let (right, top) = chart.backend_coord(&far);
    let plot = Plot { left, right, top, bottom };
    for limit in &model.limits {
        let at = chart.backend_coord(&(limit.x, far.1)).0;
        sla_limit(root, plot, at, &limit.label)?;
    }
    let front: Vec<Place> = model.front.iter().map(|place| chart.backend_coord(place)).collect();
    for pair in front.windows(2) {
        dashed(root, pair[0], pair[1])?;
    }

    if model.form == Form::Lines {
        for series in &model.series {
            let places = series.points.iter().map(|point| chart.backend_coord(&(point.x, point.y)));
            root.draw(&PathElement::new(places.collect::<Vec<_>>(), colour(&series.hue).stroke_width(2)))?;
        }
    }

    let mut targets = Vec::new();
    for (index, series) in model.series.iter().enumerate() {
        for point in &series.points {
            let at = match &model.form {
                Form::Bars { .. } => {
                    let offset = bar_offset(index, model.series.len());
                    let at = chart.backend_coord(&(point.x + 0.5 + offset, point.y));
                    let half = (chart.backend_coord(&(bar_width(model.series.len()), 0.0)).0 - plot.left) / 2;
                    bar(root, series, point, at, half.max(2), plot.bottom)?;
                    at
                }
                _ => {
                    let at = chart.backend_coord(&(point.x, point.y));
                    shape(root, series, at, point.selectable)?;
                    at
                }
            };
            if let Some((low, high)) = point.interval {
                let [low, high] = [low, high].map(|y| chart.backend_coord(&(point.x, y)).1);
                whisker(root, at.0, low, high)?;
            }
            targets.push(target(model, series, point, at));
        }
    }
    watermark(root, model, ((plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2), 96)?;
    Ok(targets)
}

fn scales(model: &ChartModel) -> (Scale, Scale) {
    let extent = |values: &mut dyn Iterator<Item = f64>, axis: &Axis| {
        let (log, unit) = (axis.log, axis.unit.as_str());
        let values: Vec<f64> = values.filter(|v| v.is_finite() && (!log || *v > 0.0)).collect();
        let max = values.iter().copied().fold(0.0, f64::max);
        match log {
            true => Scale::log(values.iter().copied().fold(max, f64::min), max),
            false if unit == "%" && max <= 100.0 => Scale::percent(),
            false => Scale::linear(max),
        }
    };
    let x = match &model.form {
        Form::Bars { categories } => Scale::categories(categories),
        _ => {
            let limits = model.limits.iter().map(|limit| limit.x);
            extent(&mut model.points().map(|(_, point)| point.x).chain(limits), &model.x)
        }
    };
    let highest = |point: &Point| point.interval.map_or(point.y, |(_, high)| high.max(point.y));
    // Bars carry their figure and mark above them.
    let room = if matches!(model.form, Form::Bars { .. }) { 1.12 } else { 1.0 };
    let y = extent(&mut model.points().map(|(_, point)| highest(point) * room), &model.y);
    (x, y)
}

fn target(model: &ChartModel, series: &Series, point: &Point, (x, y): Place) -> Target {
    let with_unit = |text: &str, unit: &str| format!("{text} {unit}").trim_end().to_owned();
    let (x_text, y_text) = (model.x_text(point), model.y_text(point));
    let value = match &model.form {
        Form::Parallel { .. } => format!("{x_text} {y_text}"),
        _ => {
            let horizontal = format!("{} {}", model.x.title, with_unit(&x_text, &model.x.unit));
            format!("{} {}, {horizontal}", model.y.title, with_unit(&y_text, &model.y.unit))
        }
    };
    Target { x, y, label: format!("{}: {}", series.name, point.label), value, command: point.command.clone() }
}

fn text(root: &Area<'_>, text: &str, at: Place, size: i32, opacity: f64, pos: Pos) -> Result<(), DrawError> {
    let style = ("sans-serif", size).into_font().color(&INK.mix(opacity)).pos(pos);
    root.draw(&Text::new(text.to_owned(), at, style))
}

/// Marks a picture of simulated figures. It is drawn last, so that nothing covers it.
fn watermark(root: &Area<'_>, model: &ChartModel, centre: Place, size: i32) -> Result<(), DrawError> {
    if model.simulated {
        text(root, "simulated", centre, size, 0.14, Pos::new(HPos::Center, VPos::Center))?;
    }
    Ok(())
}

/// The name of a row, cut where it would run into the row itself; the target and the table have the whole.
fn row_label(root: &Area<'_>, label: &str, at: Place, max_characters: usize) -> Result<(), DrawError> {
    let shown = match label.char_indices().nth(max_characters) {
        Some((cut, _)) => format!("{}…", &label[..cut]),
        None => label.to_owned(),
    };
    text(root, &shown, at, 15, 0.9, Pos::new(HPos::Left, VPos::Center))
}

/// Where the legend's last line is, px.
fn legend_bottom(model: &ChartModel) -> i32 {
    legend_places(model).last().map_or(0, |place| place.1)
}

/// Where the legend's entries begin, in as many lines as they need.
fn legend_places(model: &ChartModel) -> Vec<Place> {
    const LEFT: i32 = 76;
    let (mut x, mut y) = (LEFT, 16);
    let mut places = Vec::with_capacity(model.series.len());
    for series in legend_series(model) {
        // There is no font to measure with; this is room enough for a wide one.
        let width = 36 + 8 * series.name.chars().count() as i32;
        if x > LEFT && x + width > WIDTH as i32 {
            (x, y) = (LEFT, y + LEGEND_LINE);
        }
        places.push((x, y));
        x += width;
    }
    places
}

/// The series with an entry of their own: several candidates of one framework share one.
fn legend_series(model: &ChartModel) -> impl Iterator<Item = &Series> {
    let is_first =
        |(index, series): &(usize, &Series)| model.series[..*index].iter().all(|earlier| earlier.name != series.name);
    model.series.iter().enumerate().filter(is_first).map(|(_, series)| series)
}

fn legend(root: &Area<'_>, model: &ChartModel) -> Result<(), DrawError> {
    for (series, (x, y)) in legend_series(model).zip(legend_places(model)) {
        shape(root, series, (x, y), true)?;
        text(root, &series.name, (x + 12, y), 16, 0.9, Pos::new(HPos::Left, VPos::Center))?;
    }
    Ok(())
}

fn colour(hex: &str) -> RGBColor {
    let part = |at: usize| hex.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or(128);
    RGBColor(part(1), part(3), part(5))
}

/// A mark, filled, or hollow where the point may not be selected.
fn shape(root: &Area<'_>, series: &Series, (x, y): Place, filled: bool) -> Result<(), DrawError> {
    let style = colour(&series.hue).stroke_width(2);
    let r = MARK;
    let corners = match series.mark {
        Mark::Circle if filled => return root.draw(&Circle::new((x, y), r, colour(&series.hue).filled())),
        Mark::Circle => return root.draw(&Circle::new((x, y), r, style)),
        Mark::Cross => {
            root.draw(&PathElement::new(vec![(x - r, y - r), (x + r, y + r)], style))?;
            return root.draw(&PathElement::new(vec![(x - r, y + r), (x + r, y - r)], style));
        }
        Mark::Square => vec![(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)],
        Mark::Triangle => vec![(x, y - r - 1), (x + r + 1, y + r), (x - r - 1, y + r)],
        Mark::Diamond => vec![(x, y - r - 2), (x + r + 2, y), (x, y + r + 2), (x - r - 2, y)],
        Mark::Wedge => vec![(x, y + r + 1), (x + r + 1, y - r), (x - r - 1, y - r)],
    };
    if filled {
        return root.draw(&Polygon::new(corners, colour(&series.hue).filled()));
    }
    let closed: Vec<Place> = corners.iter().chain(corners.first()).copied().collect();
    root.draw(&PathElement::new(closed, style))
}

/// The width of one of `count` bars, in categories.
fn bar_width(count: usize) -> f64 {
    0.6_f64.min(0.2 * count as f64) / count.max(1) as f64
}

/// The middle of bar `index` of `count`, in categories from the middle of its own.
fn bar_offset(index: usize, count: usize) -> f64 {
    (index as f64 - (count as f64 - 1.0) / 2.0) * bar_width(count) * 1.15
}

fn bar(
    root: &Area<'_>,
    series: &Series,
    point: &Point,
    (x, y): Place,
    half: i32,
    bottom: i32,
) -> Result<(), DrawError> {
    root.draw(&Rectangle::new([(x - half, y), (x + half, bottom)], colour(&series.hue).filled()))?;
    text(root, &figure(point.y), (x, y - 3), 15, 0.9, Pos::new(HPos::Center, VPos::Bottom))?;
    shape(root, series, (x, y - 25), true)
}

fn whisker(root: &Area<'_>, x: i32, low: i32, high: i32) -> Result<(), DrawError> {
    for line in [[(x, low), (x, high)], [(x - 4, low), (x + 4, low)], [(x - 4, high), (x + 4, high)]] {
        root.draw(&PathElement::new(line.to_vec(), INK.stroke_width(1)))?;
    }
    Ok(())
}

/// The limit as a line, and a hatch over what lies beyond it.
fn sla_limit(root: &Area<'_>, plot: Plot, at: i32, label: &str) -> Result<(), DrawError> {
    let height = plot.bottom - plot.top;
    let hatch = INK.mix(0.16).stroke_width(1);
    for start in ((at - height)..plot.right).step_by(9) {
        // A line from (start, bottom) up to (start + height, top), cut to the region.
        let (from, to) = (start.max(at), (start + height).min(plot.right));
        if from < to {
            let ends = [from, to].map(|x| (x, plot.bottom - (x - start)));
            root.draw(&PathElement::new(ends.to_vec(), hatch))?;
        }
    }
    root.draw(&PathElement::new(vec![(at, plot.top), (at, plot.bottom)], INK.mix(0.7).stroke_width(2)))?;
    let (x, side) = if at > (plot.left + plot.right) / 2 { (at - 6, HPos::Right) } else { (at + 6, HPos::Left) };
    text(root, label, (x, plot.top + 4), 15, 0.9, Pos::new(side, VPos::Top))
}

/// A dashed line: what lies between the points was not measured.
fn dashed(root: &Area<'_>, from: Place, to: Place) -> Result<(), DrawError> {
    const ON: f64 = 6.0;
    const PERIOD: f64 = 11.0;
    let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
    let length = dx.hypot(dy);
    let place = |along: f64| {
        let share = along / length;
        (from.0 + (dx * share).round() as i32, from.1 + (dy * share).round() as i32)
    };
    let mut along = 0.0;
    while along < length {
        let ends = vec![place(along), place((along + ON).min(length))];
        root.draw(&PathElement::new(ends, INK.mix(0.6).stroke_width(1)))?;
        along += PERIOD;
    }
    Ok(())
}
