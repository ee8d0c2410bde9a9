//! `/cookbook`: plans for well-known models, to start from.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use podium_service::CookbookPlan;

use crate::components::{EmptyState, loaded};
use crate::context::{caller, service};

/// The cookbook, filtered by a word of the model's name.
#[component]
pub fn CookbookPage() -> impl IntoView {
    let wanted = use_query_map().get_untracked().get("q").unwrap_or_default();
    view! {
        <Title text="Cookbook" />
        <h1>"Cookbook"</h1>
        <p>
            "Plans for well-known models, each with four frameworks and a bounded search. They are starting points: look at the needs of a plan, and at its lengths and limits, before you run it."
        </p>
        <form method="get" action="/cookbook" role="search" class="filter">
            <label for="cookbook-filter">"Model"</label>
            <input id="cookbook-filter" type="search" name="q" value=wanted.clone() placeholder="For example qwen or 70b" />
            <button class="button button-small" type="submit">
                "Filter"
            </button>
        </form>
        {loaded(async move {
            let plans: Vec<_> = service()?
                .cookbook(caller()?)?
                .iter()
                .filter(|plan| plan.model.to_lowercase().contains(&wanted.trim().to_lowercase()))
                .collect();
            Ok(if plans.is_empty() {
                view! {
                    <EmptyState title="No plan for such a model">
                        <p>
                            <a href="/cookbook">"See all plans"</a>
                            ", or start from "
                            <a href="/plans/new">"a blank one"</a>
                            "."
                        </p>
                    </EmptyState>
                }
                .into_any()
            } else {
                table(&plans).into_any()
            })
        })}
    }
}

fn table(plans: &[&CookbookPlan]) -> impl IntoView + use<> {
    let count = if plans.len() == 1 { "1 plan".to_owned() } else { format!("{} plans", plans.len()) };
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label="Plans">
            <table>
                <caption>{count}</caption>
                <thead>
                    <tr>
                        <th scope="col">"Model"</th>
                        <th scope="col" class="number">
                            "GPUs"
                        </th>
                        <th scope="col">"Parameters"</th>
                        <th scope="col">"Notes"</th>
                    </tr>
                </thead>
                <tbody>{plans.iter().map(|plan| row(plan)).collect_view()}</tbody>
            </table>
        </div>
    }
}

fn row(plan: &CookbookPlan) -> impl IntoView + use<> {
    let notes = plan.notes().into_iter().map(|note| view! { <p>{note}</p> }).collect_view();
    view! {
        <tr>
            <th scope="row">
                <a href=format!("/plans/new?from={}", plan.slug)>{plan.model}</a>
            </th>
            <td class="number">{plan.gpu_count}</td>
            <td>{plan.parameters.unwrap_or("–")}</td>
            <td>
                <details>
                    <summary>"What it needs"</summary>
                    {notes}
                </details>
            </td>
        </tr>
    }
}
