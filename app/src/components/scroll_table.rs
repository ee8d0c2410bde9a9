//! The frame of a table of text.

use leptos::prelude::*;

/// A table that scrolls on its own, by keyboard too, where it is wider than the page.
#[component]
pub fn ScrollTable<L: IntoView + 'static>(
    /// What it shows.
    #[prop(into)]
    caption: String,
    /// The titles of its columns.
    #[prop(into)]
    columns: Vec<&'static str>,
    /// What the buttons of a last column do, for those who hear the page.
    #[prop(optional)]
    actions: Option<&'static str>,
    /// Its address in the page.
    #[prop(optional)]
    id: Option<&'static str>,
    /// Its lines.
    lines: L,
) -> impl IntoView {
    let titles = columns.into_iter().map(|title| view! { <th scope="col">{title}</th> }).collect_view();
    let actions = actions.map(|actions| {
        view! {
            <th scope="col">
                <span class="visually-hidden">{actions}</span>
            </th>
        }
    });
    let label = caption.clone();
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label=label>
            <table id=id>
                <caption>{caption}</caption>
                <thead>
                    <tr>{titles} {actions}</tr>
                </thead>
                <tbody>{lines}</tbody>
            </table>
        </div>
    }
}
