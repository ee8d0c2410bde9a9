//! The filter of the runs list: between the address, the form and the service.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;
use podium_domain::framework::Framework;
use podium_domain::status::RunStatus;
use podium_service::{RunFacets, RunKind, RunQuery, RunSort, RunWords, Shelf};
use time::macros::format_description;
use time::{Date, Duration};

/// The parts of an address that narrow the list, in the order of the form.
const NARROWING: [&str; 10] = ["q", "status", "framework", "model", "tag", "host", "kind", "from", "to", "shelf"];

/// Reads a filter of an address. What cannot be read narrows nothing.
pub(super) fn read(query: &ParamsMap) -> RunQuery {
    let text = |name: &str| query.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    // Days are those of UTC.
    let day = |name: &str| Date::parse(&text(name)?, format_description!("[year]-[month]-[day]")).ok();
    RunQuery {
        after: text("after").and_then(|id| id.parse().ok()),
        words: RunWords::of(&text("q").unwrap_or_default()),
        model: text("model"),
        framework: text("framework").and_then(|id| id.parse::<Framework>().ok()),
        host_id: text("host").and_then(|id| id.parse().ok()),
        status: text("status").and_then(|word| word.parse::<RunStatus>().ok()),
        tag: text("tag"),
        kind: text("kind").and_then(|word| word.parse::<RunKind>().ok()),
        from: day("from").map(|day| day.midnight().assume_utc()),
        before: day("to").and_then(|day| day.midnight().assume_utc().checked_add(Duration::DAY)),
        shelf: text("shelf").and_then(|word| word.parse().ok()).unwrap_or_default(),
        sort: text("sort").and_then(|word| word.parse().ok()).unwrap_or_default(),
    }
}

/// Whether the address narrows the list.
pub(super) fn narrows(query: &ParamsMap) -> bool {
    NARROWING.iter().any(|name| query.get(name).is_some_and(|value| !value.trim().is_empty()))
}

/// The address of another page of the same list.
pub(super) fn page_address(query: &ParamsMap, after: Option<String>) -> String {
    let mut kept = ParamsMap::new();
    for name in NARROWING.iter().copied().chain(["sort"]) {
        if let Some(value) = query.get(name).filter(|value| !value.trim().is_empty()) {
            kept.insert(name, value);
        }
    }
    if let Some(after) = after {
        kept.insert("after", after);
    }
    format!("/{}", kept.to_query_string())
}

/// The form. It works by the address alone.
pub(super) fn form(query: &ParamsMap, facets: &RunFacets) -> impl IntoView + use<> {
    let value = |name: &str| query.get(name).unwrap_or_default();
    let of_words =
        |words: &[&'static str]| words.iter().map(|w| ((*w).to_owned(), (*w).to_owned())).collect::<Vec<_>>();
    let same = |values: &[String]| values.iter().map(|v| (v.clone(), v.clone())).collect::<Vec<_>>();
    let statuses = of_words(
        &[
            RunStatus::Queued,
            RunStatus::Running,
            RunStatus::Cancelling,
            RunStatus::Cancelled,
            RunStatus::Completed,
            RunStatus::Failed,
        ]
        .map(RunStatus::word),
    );
    let frameworks = Framework::ALL.map(|f| (f.id().to_owned(), f.name().to_owned())).to_vec();
    let hosts = facets.hosts.iter().map(|(id, name)| (id.to_string(), name.clone())).collect();
    let kinds = vec![
        (RunKind::Measured.word().to_owned(), "measured here".to_owned()),
        (RunKind::Imported.word().to_owned(), "imported".to_owned()),
    ];
    let shelves = Shelf::ALL.iter().skip(1).map(|shelf| (shelf.word().to_owned(), shelf.word().to_owned())).collect();
    let sorts = [(RunSort::Oldest, "Oldest first"), (RunSort::Title, "Title"), (RunSort::Model, "Model")];
    let sorts = sorts.map(|(sort, name)| (sort.word().to_owned(), name.to_owned())).to_vec();
    let more = NARROWING.iter().skip(2).any(|name| !value(name).trim().is_empty());
    let clear = narrows(query).then(|| view! { <a href="/">"Clear"</a> });
    view! {
        <form method="get" action="/" role="search" class="run-filter">
            <div class="run-filter-line">
                <div class="field run-filter-text">
                    <label for="runs-q">"Search"</label>
                    <input id="runs-q" type="search" name="q" value=value("q") placeholder="Model, framework, tag, note" />
                </div>
                {select("status", "Status", "Any", statuses, &value("status"))}
                {select("sort", "Order", "Newest first", sorts, &value("sort"))}
                <button class="button" type="submit">
                    "Show"
                </button>
                {clear}
            </div>
            <details open=more>
                <summary>"More filters"</summary>
                <div class="run-filter-line">
                    {select("framework", "Framework", "Any", frameworks, &value("framework"))}
                    {select("model", "Model", "Any", same(&facets.models), &value("model"))}
                    {select("tag", "Tag", "Any", same(&facets.tags), &value("tag"))}
                    {select("host", "Host", "Any", hosts, &value("host"))}
                    {select("kind", "Results", "All", kinds, &value("kind"))}
                    {day("from", "From", value("from"))} {day("to", "To", value("to"))}
                    {select("shelf", "Kept in", "list", shelves, &value("shelf"))}
                </div>
            </details>
        </form>
    }
}

fn select(
    name: &'static str,
    label: &'static str,
    any: &'static str,
    options: Vec<(String, String)>,
    chosen: &str,
) -> impl IntoView + use<> {
    let id = format!("runs-{name}");
    let options = options
        .into_iter()
        .map(|(value, shown)| {
            let selected = value == chosen;
            view! {
                <option value=value selected=selected>
                    {shown}
                </option>
            }
        })
        .collect_view();
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <select id=id name=name>
                <option value="">{any}</option>
                {options}
            </select>
        </div>
    }
}

fn day(name: &'static str, label: &'static str, value: String) -> impl IntoView + use<> {
    let id = format!("runs-{name}");
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input id=id type="date" name=name value=value />
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> ParamsMap {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_address_says_what_is_listed() {
        let found = read(&query(&[
            ("q", " qwen "),
            ("status", "failed"),
            ("framework", "vllm"),
            ("from", "2026-01-31"),
            ("shelf", "archived"),
            ("sort", "title"),
            ("kind", "imported"),
        ]));
        assert_eq!((found.words, found.status), (RunWords::of("qwen"), Some(RunStatus::Failed)));
        assert_eq!((found.framework, found.kind), (Some(Framework::Vllm), Some(RunKind::Imported)));
        assert_eq!(found.from, Some(time::macros::datetime!(2026-01-31 0:00 UTC)));
        assert_eq!((found.shelf, found.sort), (Shelf::Archived, RunSort::Title));
    }

    #[test]
    fn what_cannot_be_read_narrows_nothing() {
        let wrong =
            query(&[("status", "x"), ("host", "1"), ("from", "yesterday"), ("after", "-"), ("sort", "z"), ("q", " ")]);
        assert_eq!(read(&wrong), RunQuery::default());
        assert!(!narrows(&query(&[("q", " "), ("deleted", "x")])));
    }

    #[test]
    fn another_page_keeps_the_filter_and_forgets_the_rest() {
        let query = query(&[("q", "a&b"), ("status", ""), ("deleted", "x"), ("after", "old")]);
        assert_eq!(page_address(&query, Some("new".to_owned())), "/?q=a%26b&after=new");
        assert_eq!(page_address(&ParamsMap::new(), None), "/");
    }
}
