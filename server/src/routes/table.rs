//! Who may ask for what: every page, server function and other route with the least role that it needs.
//!
//! A request for a route that is not in the table is refused, and a test compares the table with what is served.

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use podium_app::error::AppError;
use podium_service::{Caller, Role};

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever knows the address: it holds a secret, and nothing is done on behalf of anybody.
    Link,
    /// A person of this role or a higher one.
    Least(Role),
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// The path, with `{name}` for parameters.
    pub(crate) path: &'static str,
    /// Who may.
    pub(crate) access: Access,
}

const fn row(method: &'static str, path: &'static str, role: Role) -> Row {
    Row { method, path, access: Access::Least(role) }
}

/// Every route.
pub(crate) const TABLE: &[Row] = &[
    // Pages
    row("GET", "/", Role::Viewer),
    row("GET", "/plans/new", Role::Viewer),
    row("GET", "/plans/start", Role::Viewer),
    row("GET", "/cookbook", Role::Viewer),
    row("GET", "/hosts", Role::Viewer),
    row("GET", "/import", Role::Viewer),
    row("GET", "/runs/{id}", Role::Viewer),
    row("GET", "/runs/{id}/report", Role::Viewer),
    Row { method: "GET", path: "/r/{token}", access: Access::Link },
    // Server functions
    row("POST", "/api/plan/check", Role::Viewer),
    row("POST", "/api/plan/edit", Role::Viewer),
    row("POST", "/api/run/state", Role::Viewer),
    row("POST", "/api/launch/log", Role::Viewer),
    row("POST", "/api/report/share", Role::Runner),
    // Forms
    row("POST", "/plans/start", Role::Runner),
    row("POST", "/import", Role::Runner),
    row("POST", "/runs/{id}/cancel", Role::Runner),
    row("POST", "/runs/{id}/notes", Role::Runner),
    row("POST", "/runs/{id}/archive", Role::Runner),
    row("POST", "/runs/{id}/unarchive", Role::Runner),
    row("POST", "/runs/{id}/delete", Role::Runner),
    row("POST", "/runs/{id}/restore", Role::Runner),
    row("POST", "/runs/{id}/report", Role::Runner),
    row("POST", "/shares/{id}/revoke", Role::Runner),
    row("POST", "/hosts", Role::Admin),
    row("POST", "/hosts/{id}/check", Role::Runner),
    row("POST", "/hosts/{id}/edit", Role::Admin),
    row("POST", "/hosts/{id}/remove", Role::Admin),
    // Streams and downloads
    row("GET", "/runs/{id}/events", Role::Viewer),
    row("GET", "/runs/{id}/files/{file}", Role::Viewer),
    row("GET", "/reports/{id}/charts/{file}", Role::Viewer),
    Row { method: "GET", path: "/r/{token}/charts/{file}", access: Access::Link },
    row("GET", "/runs/{id}/report.md", Role::Viewer),
    row("GET", "/runs/{id}/report.csv", Role::Viewer),
    row("GET", "/runs/{id}/report.json", Role::Viewer),
    row("GET", "/runs/{id}/report.html", Role::Viewer),
    row("GET", "/launches/{id}/log", Role::Viewer),
];

/// Whether the table has this route.
pub(crate) fn has(method: &str, path: &str) -> bool {
    TABLE.iter().any(|row| row.method == method && row.path == path)
}

/// Who may ask for this route; `None` for one that nobody thought of.
fn access(method: &Method, path: &str) -> Option<Access> {
    // A HEAD is a GET whose body is left out.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    TABLE.iter().find(|row| row.method == method.as_str() && row.path == path).map(|row| row.access)
}

/// The middleware of every route: finds the caller, refuses who may not, and leaves the caller for the handler.
pub(crate) async fn authorize(path: MatchedPath, mut request: Request, next: Next) -> Response {
    match access(request.method(), path.as_str()) {
        Some(Access::Link) => next.run(request).await,
        Some(Access::Least(needed)) => {
            // The server listens on loopback alone, so whoever asks is the person who runs it.
            let caller = Caller::owner();
            if caller.role < needed {
                return refusal(format!("this needs the role {needed}"));
            }
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        // The method is answered with 405 by the router; only a route that is missing in the table comes further.
        None if TABLE.iter().any(|row| row.path == path.as_str()) => next.run(request).await,
        None => refusal(format!("the route {} has no access rule", path.as_str())),
    }
}

fn refusal(message: String) -> Response {
    (StatusCode::FORBIDDEN, axum::Json(AppError::Forbidden { message })).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use leptos_axum::generate_route_list;
    use podium_app::App;

    use super::*;

    /// Every route of the server, from the three places where they are made.
    fn served() -> BTreeSet<(String, String)> {
        let pages = generate_route_list(App);
        let pages = pages.iter().map(|page| ("GET".to_owned(), page.path().to_owned()));
        let functions = leptos::server_fn::axum::server_fn_paths()
            .map(|(path, method)| (method.as_str().to_owned(), path.to_owned()));
        let own = super::super::own();
        let own = own.iter().map(|route| (route.method.to_owned(), route.path.to_owned()));
        pages.chain(functions).chain(own).collect()
    }

    #[test]
    fn the_table_names_exactly_what_is_served() {
        let table: BTreeSet<_> = TABLE.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
        assert_eq!(table.len(), TABLE.len(), "a route stands twice in the table");
        assert_eq!(table, served());
    }

    #[test]
    fn whatever_changes_something_needs_more_than_reading() {
        let read_only = ["/api/plan/check", "/api/plan/edit", "/api/run/state", "/api/launch/log"];
        for row in TABLE.iter().filter(|row| row.method == "POST" && !read_only.contains(&row.path)) {
            assert!(matches!(row.access, Access::Least(role) if role >= Role::Runner), "{}", row.path);
        }
    }

    #[test]
    fn only_shared_reports_are_open_to_whoever_has_the_link() {
        let open: Vec<_> = TABLE.iter().filter(|row| row.access == Access::Link).map(|row| row.path).collect();
        assert_eq!(open, ["/r/{token}", "/r/{token}/charts/{file}"]);
    }

    #[test]
    fn a_route_nobody_thought_of_has_no_access() {
        assert_eq!(access(&Method::GET, "/secret"), None);
        assert_eq!(access(&Method::POST, "/runs/{id}"), None);
        assert_eq!(access(&Method::HEAD, "/hosts"), Some(Access::Least(Role::Viewer)));
    }
}
