//! The rail of links beside every page.

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use podium_service::Role;

use crate::context::known_caller;

/// A link of the rail: address and word.
const LINKS: [(&str, &str); 6] = [
    ("/", "Runs"),
    ("/plans/new", "New plan"),
    ("/import", "Import"),
    ("/compare", "Compare"),
    ("/cookbook", "Cookbook"),
    ("/hosts", "Hosts"),
];

/// The links of an admin.
const ADMIN_LINKS: [(&str, &str); 2] = [("/people", "People"), ("/audit", "Audit log")];

/// The main navigation: a rail at the left on wide screens, a bar at the top on narrow ones. A shared report has none:
/// its reader has the one link alone. Neither has somebody who is not signed in.
#[component]
pub fn SideRail() -> impl IntoView {
    let path = use_location().pathname;
    let caller = known_caller();
    let is_admin = caller.is_some_and(|caller| caller.role == Role::Admin);
    if path.with_untracked(|path| is_shared(path)) || caller.is_none() {
        return view! { <span class="brand">"Podium"</span> }.into_any();
    }
    view! {
        <a class="brand" href="/">
            "Podium"
        </a>
        <nav class="rail" aria-label="Main">
            <ul>
                {LINKS
                    .into_iter()
                    .chain(ADMIN_LINKS.into_iter().filter(|_| is_admin))
                    .chain([("/account", "Account")])
                    .map(|(href, label)| {
                        let current = move || is_current(href, &path.get()).then_some("page");
                        view! {
                            <li>
                                <a href=href aria-current=current>
                                    {label}
                                </a>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </nav>
    }
    .into_any()
}

/// Where a page of a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunTab {
    /// `/runs/{id}`
    Overview,
    /// `/runs/{id}/report`
    Report,
}

/// The pages of one run, as links.
#[component]
pub fn RunTabs(
    /// The run's id.
    run: String,
    /// The page that is open.
    open: RunTab,
    /// Whether there is a report.
    has_report: bool,
) -> impl IntoView {
    let current = move |tab: RunTab| (tab == open).then_some("page");
    view! {
        <nav class="tabs" aria-label="Run">
            <a href=format!("/runs/{run}") aria-current=current(RunTab::Overview)>
                "Overview"
            </a>
            {has_report
                .then(|| {
                    view! {
                        <a href=format!("/runs/{run}/report") aria-current=current(RunTab::Report)>
                            "Report"
                        </a>
                    }
                })}
        </nav>
    }
}

/// The way back.
#[component]
pub fn Crumbs(
    /// The address and name of the page above this one.
    #[prop(into)]
    href: String,
    /// Its name.
    #[prop(into)]
    name: String,
) -> impl IntoView {
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href=href>{name}</a>
        </nav>
    }
}

/// Lets a keyboard pass over the navigation.
#[component]
pub fn SkipLink() -> impl IntoView {
    view! {
        <a class="skip-link" href="#main">
            "Skip to the content"
        </a>
    }
}

/// Whether the link leads to where the page is. A run belongs under "Runs", whose own address is the root.
fn is_current(href: &str, path: &str) -> bool {
    match href {
        "/" => path == "/" || path == "/runs" || path.starts_with("/runs/"),
        "/plans/new" => path == href || path == "/plans/start",
        _ => path == href || path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')),
    }
}

/// Whether the page is one that is reached by a secret link.
pub(crate) fn is_shared(path: &str) -> bool {
    path.starts_with("/r/")
}

#[cfg(test)]
mod tests {
    use super::{is_current, is_shared};

    #[test]
    fn a_shared_report_is_told_from_a_run() {
        assert!(is_shared("/r/abc"));
        assert!(!is_shared("/runs/abc/report") && !is_shared("/"));
    }

    #[test]
    fn a_run_belongs_under_runs() {
        assert!(is_current("/", "/runs/7"));
        assert!(!is_current("/", "/hosts"));
    }

    #[test]
    fn only_whole_segments_count() {
        assert!(is_current("/hosts", "/hosts/local"));
        assert!(!is_current("/hosts", "/hosts-old"));
    }
}
