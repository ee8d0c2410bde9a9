//! The charts of a report: drawn on the server, with a target over each point for pointer and keyboard.

use leptos::prelude::*;
use podium_domain::report::Report;
use podium_service::charts::{self, Chart, ChartData, Target};

/// Half the width of a point's target, in the picture's pixels.
const TARGET_RADIUS: &str = "9";

/// Every chart as a figure with caption, data table and links to its files, which are under `files`.
pub(super) fn charts(report: &Report, files: &str) -> AnyView {
    let charts = charts::for_report(report);
    let figures = charts.iter().enumerate().map(|(index, chart)| figure(chart, &format!("{files}/{}", index + 1)));
    let figures = figures.collect_view();
    view! {
        <section id="charts" class="report-section" aria-label="Charts">
            <h2>"Charts"</h2>
            <div class="charts">{figures}</div>
        </section>
    }
    .into_any()
}

/// One chart; `file` is the address of its files without their ending.
fn figure(chart: &Chart, file: &str) -> AnyView {
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
                <a href=format!("{file}.svg") rel="external" aria-label=format!("{} as SVG", chart.figure.title)>
                    "SVG"
                </a>
                " "
                <a href=format!("{file}.png") rel="external" aria-label=format!("{} as PNG", chart.figure.title)>
                    "PNG"
                </a>
                " "
                <a href=format!("{file}.csv") rel="external" download aria-label=format!("{} as CSV", chart.figure.title)>
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
            <div class="table-scroll">
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
