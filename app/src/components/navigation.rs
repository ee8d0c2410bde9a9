//! The rail of links beside every page.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// A link of the rail: address and word.
const LINKS: [(&str, &str); 3] = [("/", "Runs"), ("/plans/new", "New plan"), ("/hosts", "Hosts")];

/// The main navigation: a rail at the left on wide screens, a bar at the top on narrow ones.
#[component]
pub fn SideRail() -> impl IntoView {
    let path = use_location().pathname;
    view! {
        <nav class="rail" aria-label="Main">
            <ul>
                {LINKS
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
        _ => path == href || path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::is_current;

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
