//! The panel: figures of the last second and the lines of the seconds before it.

use leptos::prelude::*;

use super::Watched;
use super::feed::Connection;
use crate::dto::LiveTick;
use crate::format::figure;
use crate::spark;

/// The horizontal axis of a measurement that has just begun spans this many seconds.
const MIN_SPAN_S: f64 = 15.0;

/// One line of the panel.
struct Line {
    /// Its name.
    name: &'static str,
    /// Its unit.
    unit: &'static str,
    /// Its value in one second.
    value: fn(&LiveTick) -> Option<f64>,
}

const LINES: [Line; 4] = [
    Line { name: "Completed", unit: "req/s", value: |tick| Some(f64::from(tick.completed)) },
    Line { name: "Output", unit: "tok/s", value: |tick| Some(tick.output_tokens as f64) },
    Line { name: "TTFT p50", unit: "ms", value: |tick| tick.ttft_p50_ms },
    Line { name: "In flight", unit: "requests", value: |tick| Some(f64::from(tick.in_flight)) },
];

#[component]
pub(super) fn Panel(watched: Watched) -> impl IntoView {
    let Watched { connection, measured, is_measuring, ticks, news, .. } = watched;
    let state = move || if is_measuring.get() { "measuring" } else { "idle" };
    let what = move || {
        measured.with(|measured| match measured {
            Some(measured) if is_measuring.get() => format!("Measuring {} · {}", measured.load, measured.candidate_id),
            Some(measured) => format!("Measured {} · {}", measured.load, measured.candidate_id),
            None => "Nothing is being measured at the moment".to_owned(),
        })
    };
    let progress = move || {
        ticks.with(|ticks| ticks.last().map(|tick| (tick.ended, tick.planned))).map(|(ended, planned)| {
            view! {
                <progress max=planned.to_string() value=ended.to_string() aria-label="Requests ended"></progress>
                <span class="number">{format!("{ended} of {planned} requests")}</span>
            }
        })
    };
    let connection_word = move || match connection.get() {
        Connection::Connecting => "Connecting…",
        Connection::Live => "Live",
        Connection::Lost => "Connection lost; trying again…",
        Connection::Over => "The run has ended",
    };
    let connection_class = move || match connection.get() {
        Connection::Live => "status status-active",
        Connection::Lost => "status status-warn",
        Connection::Connecting | Connection::Over => "status",
    };

    view! {
        <section
            class="card live"
            aria-label="Live"
            data-state=state
            data-points=move || ticks.with(Vec::len).to_string()
            data-measurement=move || measured.with(|m| m.as_ref().map(|m| m.measurement_id.clone()))
        >
            <p class="live-head">
                <strong class="live-what">{what}</strong>
                <span role="status" class=connection_class>
                    {connection_word}
                </span>
            </p>
            <div class="live-lines">
                {LINES.into_iter().map(|line| line_view(line, ticks)).collect_view()}
            </div>
            <p class="progress-line">{progress}</p>
            <p class="muted live-news" aria-live="polite">
                {move || news.get()}
            </p>
            <ol class="live-points" hidden>
                {move || ticks.with(|ticks| ticks.iter().map(point_view).collect_view())}
            </ol>
        </section>
    }
    .into_any()
}

fn line_view(line: Line, ticks: RwSignal<Vec<LiveTick>>) -> AnyView {
    let Line { name, unit, value } = line;
    let last = move || ticks.with(|ticks| ticks.iter().rev().find_map(value)).map_or_else(|| "–".to_owned(), shown);
    let points = move || {
        let points: Vec<_> = ticks.with(|ticks| ticks.iter().map(|tick| (f64::from(tick.t_s), value(tick))).collect());
        spark::polyline(&points, MIN_SPAN_S)
    };
    let top = move || {
        let top = ticks.with(|ticks| ticks.iter().filter_map(value).fold(0.0, f64::max));
        format!("top of the line: {} {unit}", shown(top))
    };
    view! {
        <figure class="live-line">
            <figcaption>
                <span class="muted">{name}</span>
                " "
                <span class="number live-value">{last}</span>
                " "
                <span class="unit muted">{unit}</span>
            </figcaption>
            <svg class="spark" viewBox="0 0 240 48" preserveAspectRatio="none" role="img" aria-label=top>
                <polyline points=points></polyline>
            </svg>
        </figure>
    }
    .into_any()
}

/// Counts as they are, measured values with three digits.
fn shown(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { figure(value) }
}

/// The second as data, for programs that read the page.
fn point_view(tick: &LiveTick) -> AnyView {
    view! {
        <li
            data-t=tick.t_s.to_string()
            data-completed=tick.completed.to_string()
            data-failed=tick.failed.to_string()
            data-in-flight=tick.in_flight.to_string()
            data-output-tokens=tick.output_tokens.to_string()
            data-ttft-p50-ms=tick.ttft_p50_ms.map(|ms| ms.to_string())
        ></li>
    }
    .into_any()
}
