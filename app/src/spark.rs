//! The small line charts of series, drawn alike by the server and in the browser.

/// Width of a sparkline in its own units; the style sheet scales it.
pub const WIDTH: f64 = 240.0;

/// Height of a sparkline in its own units.
pub const HEIGHT: f64 = 48.0;

/// The `points` of an SVG polyline through `(t, value)`, from zero at the bottom to the largest value at the top.
/// Values that are missing leave no point. The horizontal axis spans at least `min_span`, so that the first points
/// of a series that is still growing do not jump about.
#[must_use]
pub fn polyline(points: &[(f64, Option<f64>)], min_span: f64) -> String {
    let known = || points.iter().filter_map(|(t, value)| Some((*t, (*value)?)));
    let start = points.first().map_or(0.0, |(t, _)| *t);
    let end = points.last().map_or(0.0, |(t, _)| *t);
    let span = (end - start).max(min_span).max(1.0);
    let top = known().map(|(_, value)| value).fold(0.0, f64::max);
    let mut text = String::new();
    for (t, value) in known() {
        if !text.is_empty() {
            text.push(' ');
        }
        let x = (t - start) / span * WIDTH;
        // Two units of room at both edges keep the line's own width inside.
        let y = if top > 0.0 { HEIGHT - 2.0 - value / top * (HEIGHT - 4.0) } else { HEIGHT - 2.0 };
        text.push_str(&format!("{x:.1},{y:.1}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::polyline;

    #[test]
    fn the_largest_value_touches_the_top_and_zero_the_bottom() {
        let points = [(0.0, Some(0.0)), (1.0, Some(5.0)), (2.0, Some(10.0))];
        assert_eq!(polyline(&points, 0.0), "0.0,46.0 120.0,24.0 240.0,2.0");
    }

    #[test]
    fn missing_values_are_left_out_and_nothing_divides_by_zero() {
        assert_eq!(polyline(&[], 10.0), "");
        assert_eq!(polyline(&[(3.0, None), (4.0, Some(0.0))], 10.0), "24.0,46.0");
    }
}
