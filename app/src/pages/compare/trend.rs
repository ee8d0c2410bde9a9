//! One plan over time: a line for each framework, and every step against the run before.

use leptos::prelude::*;
use leptos_meta::Title;
use podium_service::{Trend, TrendPoint};
use uuid::Uuid;

use crate::components::{Crumbs, Moment, ScrollTable, trend_figures};
use crate::format::figure_or_dash;

/// A throughput that fell by more than this share is called a regression.
const REGRESSION: f64 = 0.03;

pub(super) fn page(trend: &Trend, run: Uuid) -> impl IntoView + use<> {
    let title = format!("{} over time", trend.title);
    let lines = trend.points.iter().enumerate().map(|(index, point)| {
        let before =
            index.checked_sub(1).and_then(|before| trend.points.get(before)).filter(|b| is_same_line(b, point));
        line(point, before)
    });
    view! {
        <Title text=title.clone() />
        <Crumbs href=format!("/runs/{run}/report") name="Report" />
        <h1>{title}</h1>
        <p class="muted">{crate::format::counted(trend.runs as u64, "run of this plan", "runs of this plan")}</p>
        {trend_figures(trend, run)}
        <ScrollTable
            id="trend"
            caption="Best candidates, run by run"
            columns=["Framework", "Scenario", "Run", "Version", "Candidate", "Requests, req/s", "Against the run before"]
            lines={lines.collect_view()}
        />
    }
}

fn is_same_line(a: &TrendPoint, b: &TrendPoint) -> bool {
    a.row.framework == b.row.framework && a.row.scenario() == b.row.scenario()
}

fn line(point: &TrendPoint, before: Option<&TrendPoint>) -> AnyView {
    let rps = point.row.metrics.request_throughput;
    let change =
        before.and_then(|before| Some(rps? / before.row.metrics.request_throughput.filter(|rps| *rps > 0.0)? - 1.0));
    let change = change.map(|share| {
        let worse = share < -REGRESSION;
        let words = format!("{:+.1} %{}", share * 100.0, if worse { ", regression" } else { "" });
        view! { <span class=if worse { "change change-worse" } else { "change" }>{words}</span> }
    });
    view! {
        <tr>
            <th scope="row">{point.row.framework_name().to_owned()}</th>
            <td>{point.row.scenario().to_owned()}</td>
            <td>
                <a href=format!("/runs/{}/report", point.pick.run_id)>
                    <Moment at=point.run_at />
                </a>
            </td>
            <td>{point.row.framework_version.clone().unwrap_or_else(|| "–".to_owned())}</td>
            <td>
                <code>{point.row.candidate_id.clone()}</code>
            </td>
            <td class="number">{figure_or_dash(rps)}</td>
            <td class="number">{change}</td>
        </tr>
    }
    .into_any()
}
