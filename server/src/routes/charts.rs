//! The charts of a report as files of their own: the picture as SVG and PNG, what it shows as CSV.

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use podium_app::context::{id, share_key};
use podium_app::error::AppError;
use podium_app::pages::Compared;
use podium_domain::report::Report;
use podium_formats::report::table_csv;
use podium_service::charts::Chart;
use podium_service::{Caller, SharedReport, charts};

use super::failure::Failure;
use crate::state::AppState;

/// A chart of a stored report.
pub(super) async fn of_report(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((report, file)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let view = state.service.report(caller, id(&report, "this report")?).await?;
    chart(&view.report, &file).await
}

/// A chart of `/compare`, with that page's query.
pub(super) async fn of_comparison(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(file): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    match Compared::of_query(query) {
        Compared::Plan(run) => {
            let trend = state.service.trend(caller, run).await?;
            answer(&file, |number| charts::of_trend(&trend).get(number.checked_sub(1)?).map(charts::svg)).await
        }
        Compared::Picks(picks) => chart(&state.service.compare(caller, &picks).await?.report(), &file).await,
    }
}

/// A chart of a shared report, for whoever has its link.
pub(super) async fn of_share(
    State(state): State<AppState>,
    Path((token, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    match state.service.shared_report(&token, share_key(&headers)).await? {
        SharedReport::Open(view) => chart(&view.report, &file).await,
        SharedReport::Locked => {
            Err(AppError::Forbidden { message: "this link asks for a password first; open its page".to_owned() }.into())
        }
    }
}

/// The chart that `file` names: its number in the report from 1, and `svg`, `png` or `csv`. `1.png` is what a link to the
/// report shows as its preview.
async fn chart(report: &Report, file: &str) -> Result<Response, Failure> {
    answer(file, |number| charts::numbered(report, number)).await
}

/// The file of the chart that `numbered` finds.
async fn answer(file: &str, numbered: impl FnOnce(usize) -> Option<Chart>) -> Result<Response, Failure> {
    let unknown = || AppError::NotFound { what: format!("a chart {file} of this report (they are 1.svg, 1.png, …)") };
    let (number, form) = file.split_once('.').ok_or_else(unknown)?;
    let number: usize = number.parse().map_err(|_| unknown())?;
    let chart = numbered(number).ok_or_else(unknown)?;
    let name = format!("{}.{form}", chart.id);
    let (media_type, content, shown) = match form {
        "svg" => ("image/svg+xml", chart.figure.svg.into_bytes(), "inline"),
        "png" => ("image/png", charts::png(chart).await?, "inline"),
        "csv" => {
            ("text/csv; charset=utf-8", table_csv(&chart.data.columns, &chart.data.rows).into_bytes(), "attachment")
        }
        _ => return Err(unknown().into()),
    };
    let headers = [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, format!("{shown}; filename=\"{name}\"")),
        // A picture that is opened on its own is a document of this site: nothing in it may run or load anything.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'".to_owned()),
        (CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((headers, content).into_response())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::StatusCode;
    use podium_domain::report::ReportInput;
    use serde_json::json;

    use super::*;

    fn report() -> Report {
        let row = |framework: &str, rps: f64| {
            serde_json::from_value(json!({
                "framework": framework, "candidate_id": format!("{framework}-a"), "status": "ok",
                "workload": {"scenario": "chat"}, "metrics": {"request_throughput": rps, "p50_ttft_ms": 100.0},
            }))
            .unwrap()
        };
        let rows = vec![row("vllm", 2.0), row("sglang", 3.0)];
        Report::build(ReportInput { rows, ..ReportInput::default() })
    }

    #[tokio::test]
    async fn every_chart_has_a_picture_and_its_data() {
        let report = report();
        let charts = charts::for_report(&report);
        assert!(!charts.is_empty());
        for number in 1..=charts.len() {
            for (form, media_type) in
                [("svg", "image/svg+xml"), ("png", "image/png"), ("csv", "text/csv; charset=utf-8")]
            {
                let Ok(response) = chart(&report, &format!("{number}.{form}")).await else { panic!("{number}.{form}") };
                assert_eq!(response.headers()[CONTENT_TYPE], media_type);
                assert!(response.headers()[CONTENT_SECURITY_POLICY].as_bytes().starts_with(b"default-src 'none'"));
                let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
                let begins = match form {
                    "svg" => "<svg ".as_bytes(),
                    "png" => b"\x89PNG\r\n",
                    _ => charts[number - 1].data.columns[0].as_bytes(),
                };
                assert!(body.starts_with(begins), "{number}.{form}");
                if form == "svg" {
                    assert!(String::from_utf8_lossy(&body).contains("xmlns="));
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_chart_is_not_found() {
        let report = report();
        for file in ["0.svg", "99.svg", "1", "1.gif", "-1.svg", "x.csv", "1.svg.csv", ""] {
            let Err(failure) = chart(&report, file).await else { panic!("{file}") };
            assert_eq!(failure.into_response().status(), StatusCode::NOT_FOUND, "{file}");
        }
    }
}
