//! The charts of a report: drawn on the server, with a target over each point for pointer and keyboard.

use leptos::prelude::*;
use podium_domain::report::Report;
use podium_service::Trend;
use podium_service::charts::{self, Chart, ChartData, Target};
use uuid::Uuid;

/// Half the width of a point's target, in the picture's pixels.
const TARGET_RADIUS: &str = "9";

/// Charts that are shown at once; what lies behind them is folded away.
const HEADLINES: [&str; 4] = ["best-throughput", "throughput-", "tokens-", "curve-"];

/// Every chart as a figure with caption, data table and links to its files, which are under `files`.
pub(super) fn charts(report: &Report, files: &str) -> AnyView {
    figures(&charts::for_report(report), files, "")
}

/// The charts of a report that is not stored; their files are under `files` with the query `query`.
pub fn chart_figures(report: &Report, files: &str, query: &str) -> AnyView {
    figures(&charts::for_report(report), files, query)
}

/// The charts of a plan over time; `run` is one of its runs.
pub fn trend_figures(trend: &Trend, run: Uuid) -> AnyView {
    let charts: Vec<_> = charts::of_trend(trend).iter().map(charts::svg).collect();
    figures(&charts, "/compare/charts", &format!("?plan={run}"))
}

fn figures(charts: &[Chart], files: &str, query: &str) -> AnyView {
    let is_headline = |chart: &Chart| HEADLINES.iter().any(|start| chart.id.starts_with(start)) || charts.len() < 4;
    let numbered = || charts.iter().enumerate();
    let draw = |(index, chart): (usize, &Chart)| figure(chart, &format!("{files}/{}", index + 1), query);
    let shown = numbered().filter(|(_, chart)| is_headline(chart)).map(draw).collect_view();
    let more: Vec<_> = numbered().filter(|(_, chart)| !is_headline(chart)).map(draw).collect();
    let more = (!more.is_empty()).then(|| {
        view! {
            <details class="section" id="more-charts">
                <summary>{format!("{} more charts: percentiles, throughput over time, knobs, cost", more.len())}</summary>
                <div class="section-body charts">{more}</div>
            </details>
        }
    });
    view! {
        <section id="charts" class="report-section" aria-label="Charts">
            <h2>"Charts"</h2>
            <div class="charts">{shown}</div>
            {more}
        </section>
    }
    .into_any()
}

/// One chart; `file` is the address of its files without their ending, `query` what comes behind it.
fn figure(chart: &Chart, file: &str, query: &str) -> AnyView {
    let targets = chart.targets.iter().map(target).collect_view();
    view! {
        <figure class="card chart" id=chart.id.clone()>
            <figcaption>
                <h3>{chart.figure.title.clone()}</h3>
                <p>{chart.figure.caption.clone()}</p>
            </figcaption>
            <div class="chart-picture">
                <div inner_html=chart.figure.svg.clone()></div>
                <svg
                    class="chart-targets"
                    viewBox=format!("0 0 {} {}", chart.width, chart.height)
                    role="list"
                    aria-label=format!("Points of {}", chart.figure.title)
                >
                    {targets}
                </svg>
            </div>
            <p class="chart-files">
                <a href=format!("{file}.svg{query}") rel="external" aria-label=format!("{} as SVG", chart.figure.title)>
                    "SVG"
                </a>
                " "
                <a href=format!("{file}.png{query}") rel="external" aria-label=format!("{} as PNG", chart.figure.title)>
                    "PNG"
                </a>
                " "
                <a href=format!("{file}.csv{query}") rel="external" download aria-label=format!("{} as CSV", chart.figure.title)>
                    "CSV"
                </a>
            </p>
            {table(&chart.data, &chart.figure.title)}
        </figure>
    }
    .into_any()
}

fn target(target: &Target) -> AnyView {
    let text = match &target.command {
        Some(command) => format!("{}: {}\n{command}", target.label, target.value),
        None => format!("{}: {}", target.label, target.value),
    };
    view! {
        <g role="listitem" tabindex="0" aria-label=format!("{}: {}", target.label, target.value)>
            <circle cx=target.x.to_string() cy=target.y.to_string() r=TARGET_RADIUS fill="transparent">
                <title>{text}</title>
            </circle>
        </g>
    }
    .into_any()
}

fn table(data: &ChartData, title: &str) -> AnyView {
    let heads = data.columns.iter().map(|column| view! { <th scope="col">{column.clone()}</th> }).collect_view();
    let rows = data
        .rows
        .iter()
        .map(|row| {
            let cells = row.iter().map(|cell| view! { <td>{cell.clone()}</td> }).collect_view();
            view! { <tr>{cells}</tr> }
        })
        .collect_view();
    view! {
        <details>
            <summary>"Data of this chart"</summary>
            <div class="table-scroll" tabindex="0">
                <table>
                    <caption>{title.to_owned()}</caption>
                    <thead>
                        <tr>{heads}</tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </details>
    }
    .into_any()
}
