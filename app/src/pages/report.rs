//! `/runs/{id}/report`: the answer of a run.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use leptos_router::params::ParamsMap;
use podium_service::{Pick, ReportView, ShareView};

use crate::components::{Command, Crumbs, EmptyState, Moment, RunTab, RunTabs, ScrollTable, loaded, report_body};
use crate::context::{caller, id, service};
use crate::islands::ShareForm;
use crate::posted::FreshLink;

/// The report with downloads and links.
#[component]
pub fn ReportPage() -> impl IntoView {
    let run = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let fresh = use_context::<FreshLink>();
    loaded(async move {
        let (service, caller) = (service()?, caller()?);
        let run_id = id(&run, "this run")?;
        Ok(match service.run_report(caller, run_id).await? {
            Some(report) => page(&report, fresh).into_any(),
            None => {
                let run = service.run(caller, run_id).await?;
                view! {
                    <Title text=format!("Report of {}", run.item.title) />
                    <Crumbs href="/" name="Runs" />
                    <h1>{run.item.title}</h1>
                    <EmptyState title="No report yet">
                        <p>"The report is made when every candidate was tried."</p>
                        <p>
                            <a class="button button-primary" href=format!("/runs/{run_id}")>
                                "See the run"
                            </a>
                        </p>
                    </EmptyState>
                }
                .into_any()
            }
        })
    })
}

fn page(view: &ReportView, fresh: Option<FreshLink>) -> impl IntoView + use<> {
    let title = view.report.title.clone();
    let run = view.run_id.to_string();
    view! {
        <Title text=format!("Report of {title}") />
        <Crumbs href="/" name="Runs" />
        <h1>{title}</h1>
        <RunTabs run=run.clone() open=RunTab::Report has_report=true />
        <p class="muted">
            "Report made "
            <Moment at=view.created_at />
        </p>
        {report_body(&view.report, &format!("/reports/{}/charts", view.id))}
        {compare_links(view)}
        <section id="downloads">
            <h2>"Take it with you"</h2>
            <p class="button-row">
                {[("md", "Markdown"), ("html", "HTML, one file"), ("csv", "CSV of all rows"), ("json", "JSON")]
                    .map(|(extension, name)| {
                        view! {
                            <a class="button" href=format!("/runs/{run}/report.{extension}") download>
                                {name}
                            </a>
                        }
                    })
                    .collect_view()}
            </p>
        </section>
        {shares(view, fresh)}
    }
}

/// The report's best candidates beside those of other runs, and its plan over time.
fn compare_links(view: &ReportView) -> impl IntoView + use<> {
    let best = view.report.comparisons.first().map(|comparison| comparison.ranked.as_slice()).unwrap_or_default();
    let picks = view.report.rows_of(best).map(|row| Pick::of(view.run_id, row));
    let mut query: ParamsMap = picks.map(|pick| ("c".to_owned(), pick.to_string())).collect();
    query.insert("add", view.run_id.to_string());
    view! {
        <p class="button-row">
            <a class="button" href=format!("/compare{}", query.to_query_string())>
                "Compare with other runs"
            </a>
            <a class="button" href=format!("/compare?plan={}", view.run_id)>
                "This plan over time"
            </a>
        </p>
    }
}

/// Links to the report: a new one, and those there are.
fn shares(view: &ReportView, fresh: Option<FreshLink>) -> impl IntoView + use<> {
    let run = view.run_id.to_string();
    let lines = view.shares.iter().map(|share| share_line(share, &run)).collect_view();
    let table = (!view.shares.is_empty()).then(|| {
        view! {
            <ScrollTable
                caption="Links to this report"
                columns=["Made", "Shows", "State"]
                actions="Revoke"
                lines={lines}
            />
        }
    });
    let form = share_form(&view.id.to_string(), &run, fresh);
    view! {
        <section id="share">
            <h2>"Share"</h2>
            <p>
                "Whoever has the link reads this report, without an account. Host names, file paths and logs are left out unless you include them."
            </p>
            <ShareForm report_id=view.id.to_string()>{form}</ShareForm>
            {table}
        </section>
    }
}

/// The form that makes a link, and the place where it appears. Its ids are the island's way to them.
fn share_form(report: &str, run: &str, fresh: Option<FreshLink>) -> AnyView {
    let path = fresh.map(|FreshLink(link)| link.path);
    let is_hidden = path.is_none();
    view! {
        <form class="share-form" method="post" action=format!("/runs/{run}/report")>
            <input type="hidden" name="report" value=report.to_owned() />
            <label class="choice">
                <input type="checkbox" id="include-private" name="include_private" value="yes" />
                <span>"Include host names, file paths and logs"</span>
            </label>
            <div class="field">
                <label for="share-days">"Ends after days"</label>
                <input id="share-days" name="days" type="number" min="1" max="3650" placeholder="never" autocomplete="off" />
            </div>
            <div class="field">
                <label for="share-password">"Password"</label>
                <input id="share-password" name="password" type="password" placeholder="none" autocomplete="new-password" />
            </div>
            <button class="button button-primary" type="submit">
                "Create a link"
            </button>
        </form>
        <p class="field-error" id="share-problem" role="alert"></p>
        <div class="notice" id="new-link-box" role="status" hidden=is_hidden>
            <p>"The link is made. Copy it now: it is shown this once."</p>
            <Command id="new-link".to_owned() text=path.clone().unwrap_or_default() />
            <p>
                <a id="open-link" href=path>
                    "Open it"
                </a>
            </p>
        </div>
    }
    .into_any()
}

fn share_line(share: &ShareView, run: &str) -> impl IntoView + use<> {
    let (look, is_open) = match (share.revoked_at, share.expires_at) {
        (Some(_), _) => ("revoked", false),
        (None, Some(at)) if at <= time::OffsetDateTime::now_utc() => ("expired", false),
        (None, _) => ("open", true),
    };
    let ends = share.expires_at.map(|at| format!(", until {}", crate::format::absolute(at)));
    let revoke = is_open.then(|| {
        view! {
            <form method="post" action=format!("/shares/{}/revoke", share.id)>
                <input type="hidden" name="run" value=run.to_owned() />
                <button class="button button-small button-danger" type="submit">
                    "Revoke"
                </button>
            </form>
        }
    });
    view! {
        <tr data-share=share.id.to_string() data-state=look>
            <td>
                <Moment at=share.created_at />
            </td>
            <td>
                {if share.include_private { "everything" } else { "no hosts, paths or logs" }}
                {share.has_password.then_some(", with a password")}
                {ends}
            </td>
            <td>
                <span class=if is_open { "status status-ok" } else { "status" }>{look}</span>
            </td>
            <td>{revoke}</td>
        </tr>
    }
}
