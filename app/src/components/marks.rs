//! Small marks: states, frameworks, and the labels that a result must never be shown without.

use leptos::prelude::*;
use podium_domain::framework::Framework;

use crate::words::Look;

/// A state by icon and word.
#[component]
pub fn StatusMark(
    /// How it looks.
    look: Look,
) -> impl IntoView {
    view! { <span class=look.class>{look.word}</span> }
}

/// A framework's name with its colour.
#[component]
pub fn FrameworkMark(
    /// Which.
    framework: Framework,
) -> impl IntoView {
    view! { <span class=format!("framework framework-{}", framework.id())>{framework.name()}</span> }
}

/// What a reader must know before any figure.
#[component]
pub fn Labels(
    /// Whether any engine was simulated.
    simulated: bool,
    /// Whether the run shows only that everything works.
    flow_check: bool,
) -> impl IntoView {
    view! {
        {simulated
            .then(|| {
                view! {
                    <span class="label label-warn" title="The engines were simulated: no figure here is a real server's">
                        "simulated"
                    </span>
                }
            })}
        {flow_check
            .then(|| {
                view! {
                    <span class="label label-warn" title="Too small to compare: it shows that everything works">
                        "flow check"
                    </span>
                }
            })}
    }
}
